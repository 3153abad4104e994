"""Run `python -m auth`, the former spelling of `python -m web.auth`."""

from web.auth import main

if __name__ == "__main__":
    main()
