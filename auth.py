"""Run `python -m auth`, the former spelling of two commands: new-client and revoke."""

import argparse
from collections.abc import Sequence

from errors import Overloaded
from voice.commands import CommandParser
from web.auth import REVOCATIONS_POLL_S
from web.credentials import NAME_RULE, SCOPES, new_client_entry, read_credentials, revoke_tokens


def _parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    parser = CommandParser(prog="python -m auth", description="Make a client, or revoke its tokens.")
    commands = parser.add_subparsers(required=True, dest="command")
    new_client = commands.add_parser("new-client", help="make a client: print its key, once, and CREDENTIALS with the client added")
    new_client.add_argument("name", help=NAME_RULE)
    new_client.add_argument("--scopes", required=True, nargs="+", metavar="SCOPE", help=f"of {', '.join(SCOPES)}")
    revoke = commands.add_parser("revoke", help="end all tokens of a client, in the database at DATABASE_URL")
    revoke.add_argument("name", metavar="client", help=NAME_RULE)
    given = parser.parse_args(arguments)
    return {"new-client": new_client, "revoke": revoke}[given.command], given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    command, given = _parse(arguments)
    try:
        if given.command == "revoke":
            n_families = revoke_tokens(given.name)
            print(f"Token families of {given.name} ended: {n_families}. Its access tokens end within {REVOCATIONS_POLL_S:g} s.")  # noqa: T201
        else:
            scopes = [scope for word in given.scopes for scope in word.split(",") if scope]
            key, credentials = new_client_entry(given.name, scopes, read_credentials())
            print(f"The key of {given.name}, shown this once: {key}")  # noqa: T201 - a command prints
            print(f"CREDENTIALS={credentials}")  # noqa: T201
    except ValueError as error:
        command.error(str(error))
    except Overloaded as error:
        command.exit(1, f"{command.prog}: {error}\n")


if __name__ == "__main__":
    main()
