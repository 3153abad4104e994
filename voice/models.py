"""Run `python -m voice.models`, the former spelling of `python -m voice models`."""

from voice.__main__ import models, run

if __name__ == "__main__":
    run(models, "python -m voice.models")
