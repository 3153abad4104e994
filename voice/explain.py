"""Run `python -m voice.explain`, the former spelling of `python -m voice explain`."""

from voice.__main__ import explain, run

if __name__ == "__main__":
    run(explain, "python -m voice.explain")
