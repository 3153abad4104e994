"""Run `python -m voice.store import FILE.csv --menu ID`."""

from voice.store.import_orders import main

if __name__ == "__main__":
    main()
