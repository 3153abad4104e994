"""Command lines: a user's mistake gets one line and exit status 2."""

import argparse
from typing import NoReturn, TypeVar

from pydantic import ValidationError

from settings import DatabaseSettings

S = TypeVar("S", bound=DatabaseSettings)


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose refusals are one line."""

    def error(self, message: str) -> NoReturn:
        """End without the usage, which `--help` prints."""
        self.exit(2, f"{self.prog}: {message}\n")


def read_settings(parser: argparse.ArgumentParser, settings: type[S]) -> S:
    """Read the settings, or end with a line that names what is wrong with them."""
    try:
        return settings()
    except ValidationError as error:
        parser.error(problems_of(error))


def problems_of(error: ValidationError) -> str:
    """Name each setting and its problem, without its value, in one line."""
    problems = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        setting = ".".join(str(step) for step in one["loc"]).upper()
        problem = one["msg"].removeprefix("Value error, ")
        problems.append(f"{setting}: {problem}" if setting else problem)
    return "; ".join(problems)
