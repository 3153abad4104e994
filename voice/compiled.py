"""Run `python -m voice.compiled`, the former spelling of `python -m voice.orders.compiled`."""

from voice.orders.compiled import main

if __name__ == "__main__":
    main()
