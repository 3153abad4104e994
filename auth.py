"""Run `python -m auth new-client` and `revoke`, the former spelling of these commands of `python -m voice`."""

from voice.__main__ import commands, run

if __name__ == "__main__":
    run(commands, "python -m auth")
