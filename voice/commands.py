"""Command lines: a user's mistake gets one line and exit status 2."""

import argparse
from typing import NoReturn

from settings import USERS_MISTAKE


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose refusals are one line."""

    def error(self, message: str) -> NoReturn:
        """End without the usage, which `--help` prints."""
        self.exit(USERS_MISTAKE, f"{self.prog}: {message}\n")
