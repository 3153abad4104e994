"""Run `python -m voice.store import`, the former spelling of `python -m voice import-orders`."""

import click

from voice.__main__ import import_orders, run

if __name__ == "__main__":
    run(click.Group("store", commands={"import": import_orders}, no_args_is_help=False), "python -m voice.store")
