"""The commands: `python -m voice --help`.

A user's mistake, click's own usage errors included, prints one line and exits with status 2. Each command imports what it runs, so that
`--help` loads neither the application nor a model. Like `app.py`, this module is an entry point and may import `web`.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from voice.dialog.state import State
    from voice.menus.menu import Menu

FAILURE_STATUS = 1
ID_RULE = "1 to 64 letters, digits, dots, hyphens and underscores"
ROOT = Path(__file__).parents[1]


class Failure(click.UsageError):
    """The command was right but could not be carried out, as when the database does not answer."""

    exit_code = FAILURE_STATUS


def run(command: click.Command, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process. An error is one line that begins with the command's name."""
    try:
        command.main(arguments, prog_name=program, standalone_mode=False)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else program
        sys.stderr.write(f"{path}: {' '.join(error.format_message().split())}\n")
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(FAILURE_STATUS)
    sys.exit()


def mistake(message: str) -> click.UsageError:
    """Return the error of the command that runs."""
    return click.UsageError(message, click.get_current_context())


@click.group(no_args_is_help=False)
def commands() -> None:
    """Take orders by voice: serve, and prepare what is served."""


@commands.command()
def serve() -> None:
    """Serve with the settings of the environment.

    The same as `python app.py`; .env is read too.
    """
    # The server replaces this process, so that it receives the signals itself.
    os.execv(sys.executable, [sys.executable, str(ROOT / "app.py")])  # noqa: S606 - no shell is wanted


def check_client_id(context: click.Context, parameter: click.Parameter, client: str | None) -> str | None:
    """Reject a client's id that the routes would not accept."""
    from pydantic import TypeAdapter, ValidationError

    from schemas import Slug

    try:
        return TypeAdapter(Slug | None).validate_python(client)
    except ValidationError as error:
        message = f"{client!r} is no client's id: {ID_RULE}."
        raise click.BadParameter(message, context, parameter) from error


@commands.command()
@click.argument("name", callback=check_client_id)
@click.option("--scopes", required=True, metavar="SCOPE,...", help="Of speech, order, recommend, menu.")
@click.argument("more_scopes", nargs=-1, metavar="")  # the former spelling: `--scopes speech order`
def new_client(name: str, scopes: str, more_scopes: tuple[str, ...]) -> None:
    """Make a client, or a second key for one.

    Prints the key, once, and the new value of CREDENTIALS, which contains the clients of the present value. An existing
    client gets a second key, so that its first key can be replaced.
    """
    from web.credentials import new_client_entry, read_credentials

    words = [word for text in (scopes, *more_scopes) for word in text.split(",") if word]
    try:
        key, credentials = new_client_entry(name, words, read_credentials())
    except ValueError as error:
        raise mistake(str(error)) from error
    click.echo(f"The key of {name}, shown this once: {key}")
    click.echo(f"CREDENTIALS={credentials}")


@contextmanager
def failures_of_the_store() -> Iterator[None]:
    """Report a wrong DATABASE_URL as a mistake, and a database that does not answer as a failure."""
    from errors import Overloaded

    try:
        yield
    except ValueError as error:
        raise mistake(str(error)) from error
    except Overloaded as error:
        raise Failure(str(error), click.get_current_context()) from error


@commands.command()
@click.argument("client", callback=check_client_id)
def revoke(client: str) -> None:
    """End all tokens of a client.

    They are ended in the database at DATABASE_URL, for all replicas.
    """
    from voice.store.commands import revoke_tokens
    from web.auth import REVOCATIONS_POLL_S

    with failures_of_the_store():
        n_families = revoke_tokens(client)
    click.echo(f"Token families of {client} ended: {n_families}. Its access tokens end within {REVOCATIONS_POLL_S:g} s.")


@commands.command()
@click.argument("client", callback=check_client_id)
def resend_webhooks(client: str) -> None:
    """Send a client's given-up webhooks again.

    They are due at once in the database at DATABASE_URL; running servers send them.
    """
    from voice.store.commands import resend_webhooks

    with failures_of_the_store():
        n_events = resend_webhooks(client)
    click.echo(f"Events of {client} that are sent again: {n_events}.")


@commands.command()
@click.argument("name", type=click.Choice(["openapi", "asyncapi"]))
def api_document(name: str) -> None:
    """Print the description of the routes.

    openapi describes the HTTP routes, for example for a generator of clients; asyncapi describes the WebSocket routes (docs/asyncapi.json).
    """
    import orjson

    from adapters.channels import CHANNELS
    from settings import project_version
    from web.asyncapi import LIVE, document
    from web.pages import openapi_document

    if name == "asyncapi":
        described = document((LIVE, *CHANNELS), version=project_version(), server_url="http://localhost:8000")
    else:
        os.environ.setdefault("ENVIRONMENT", "LOCAL")  # no secret is needed for that
        from app import app

        described = openapi_document(app)
    click.echo(orjson.dumps(described, option=orjson.OPT_INDENT_2))


@commands.command()
def models() -> None:
    """Set up the speech models in MODEL_DIR."""
    from settings import Settings, read_settings
    from voice.asr.model_files import ModelMissing, conformer_directory, whisper_directory

    settings = read_settings(Settings)
    try:
        whisper = whisper_directory(settings.speech_model, settings.model_dir)
        conformer = conformer_directory(settings.speech_model_vi, settings.model_dir)
    except ModelMissing as error:
        raise mistake(str(error)) from error
    click.echo(f"Whisper: {whisper}\nVietnamese: {conformer or 'recognised by Whisper'}")


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--menu", required=True, help="The menu's id; the column item contains ids of its items.")
@click.option("--client", callback=check_client_id, help="The client that the orders belong to; demo in LOCAL and TESTING.")
def import_orders(file: Path, menu: str, client: str | None) -> None:
    """Import past orders from a CSV file.

    The columns are order_id, timestamp, customer_id, item, quantity. Importing the same file again changes nothing.
    """
    from settings import Settings, read_settings
    from voice.store.import_orders import ImportFailed
    from voice.store.import_orders import import_orders as run_import

    settings = read_settings(Settings)
    if client is None:
        if settings.environment.is_deployed:
            message = "--client is needed."
            raise mistake(message)
        client = "demo"
    try:
        summary = run_import(file, menu_id=menu, client=client, settings=settings)
    except ImportFailed as error:
        raise mistake(str(error)) from error
    click.echo(summary)


@commands.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--id", "menu_id", required=True, help="The id of the menu, and the name of its file.")
@click.option("--output", type=click.Path(path_type=Path), help="The directory, or its ID.yaml, to write; MENU_DIR by default.")
@click.option("--format", "format_name", type=click.Choice(["csv", "square", "uber-eats", "grabfood"]), help="Recognised by default.")
@click.option("--name", default="", help="The menu's name; the source's by default.")
@click.option("--currency", default="", metavar="ISO", help="Needed by csv and uber-eats, as VND or USD.")
@click.option("--language", default="en", show_default=True, help="Of names whose language the source does not tell.")
@click.option("--timezone", default="UTC", show_default=True, help="Of the times, as Asia/Ho_Chi_Minh.")
@click.option("--location", default="", help="Square: the location whose prices and availability count.")
@click.option("--service", default="", help="GrabFood: the key of advancedPricing that counts.")
def import_menu(source: Path, output: Path | None, format_name: str | None, **options: str) -> None:
    """Import a menu from CSV, Square Catalog, Uber Eats or GrabFood.

    Writes a menu file and names on the terminal what has no place in it. Importing a changed source again keeps the merchant's
    own aliases and edits.
    """
    from settings import MenuSettings, read_settings
    from voice.menus.importing import run_import
    from voice.menus.imports.draft import ImportOptions, SourceBroken

    directory = output or read_settings(MenuSettings).menu_dir
    if output is not None and output.suffix in {".yaml", ".yml", ".json"}:
        if output.name != f"{options['menu_id']}.yaml":
            message = f"--output: {output.name}: the file of the menu is {options['menu_id']}.yaml"
            raise mistake(message)
        directory = output.parent
    try:
        for line in run_import(source, directory, ImportOptions.model_validate(options), format_name):
            click.echo(line)
    except SourceBroken as error:
        *first, last = str(error).splitlines()
        for line in first:
            click.echo(f"{source}: {line}", err=True)
        message = f"{source}: {last}"
        raise mistake(message) from error


@commands.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of menu files, for editors, and check nothing.")
def check_menu(files: tuple[Path, ...], *, schema: bool) -> None:
    """Check menu files.

    Prints every fault with its line and column and what to write instead, then every doubt: what is valid, and probably meant otherwise.
    Without FILES, those of MENU_DIR. The exit status is 2 if there are faults.
    """
    from voice.evaluation.menu_check import check, schema_text

    if schema:
        click.echo(schema_text(), nl=False)
        return
    n_faults = 0
    for file in files or _menu_files():
        for line in check(file):
            click.echo(line.text)
            n_faults += line.is_fault
    if n_faults:
        message = f"{n_faults} {'fault' if n_faults == 1 else 'faults'}"
        raise mistake(message)


def _menu_files() -> list[Path]:
    from settings import MenuSettings, read_settings
    from voice.menus.loading import SUFFIXES

    directory = read_settings(MenuSettings).menu_dir
    return [path for path in sorted(directory.glob("*")) if path.suffix in SUFFIXES]


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--menu", help="The id of a menu in MENU_DIR, or a menu file; not needed where there is one.")
@click.option("--worst", default=10, show_default=True, help="Wrong turns that are shown.")
@click.option("--aliases/--no-aliases", default=True, show_default=True, help="Look for aliases that would mend wrong turns.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the outcomes as JUnit XML.")
@click.option("--min-exact", type=click.FloatRange(0, 1), default=0.0, help="The exit status is 1 below this share of exact turns.")
def evaluate(file: Path, menu: str | None, worst: int, junit: Path | None, min_exact: float, *, aliases: bool) -> None:  # noqa: PLR0913
    """Try a menu with your own sentences.

    FILE is CSV (what was said, the right order) or JSONL (sentences or conversations). Prints the share of exact orders, of false
    changes, the worst turns with the reason, and aliases that would mend them.
    """
    from voice.dialog.turn import DialogEngine
    from voice.evaluation.aliases import remedies
    from voice.evaluation.cases import CasesBroken, read_cases
    from voice.evaluation.report import remedy_lines, summary, worst_lines, write_junit
    from voice.evaluation.scoring import score

    loaded = _menu_named(menu)
    try:
        cases = read_cases(file, loaded)
    except CasesBroken as error:
        *first, last = str(error).splitlines()
        for line in first:
            click.echo(f"{file}: {line}", err=True)
        message = f"{file}: {last}"
        raise mistake(message) from error
    scored = score(DialogEngine(loaded), cases)
    for line in (*worst_lines(scored, worst), *(remedy_lines(remedies(loaded, cases, scored)) if aliases else ())):
        click.echo(line)
    click.echo(summary(scored))
    if junit is not None:
        try:
            write_junit(junit, f"{loaded.id} {file.name}", scored.outcomes)
        except OSError as error:
            message = f"--junit: {error.strerror}"
            raise mistake(message) from error
    if scored.exact_share < min_exact:
        message = f"{scored.exact_share:.1%} exact turns, fewer than {min_exact:.1%}"
        raise Failure(message, click.get_current_context())


@commands.command()
@click.option("--menu", required=True, help="The menu's id.")
@click.option("--client", callback=check_client_id, help="The client that talked to customers; demo in LOCAL and TESTING.")
@click.option("--show", default=30, show_default=True, help="Findings that are shown, the most frequent first.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Ask about each right order, and write those confirmed as JSONL for `evaluate`."
)
@click.option("--yes", is_flag=True, help="With --output: confirm all.")
def review(menu: str, client: str | None, show: int, output: Path | None, *, yes: bool) -> None:
    """Learn from what customers said.

    Lists the utterances kept by KEEP_UTTERANCES that were asked again, corrected at once, left unmatched or below confidence, and the
    aliases that would have helped.
    """
    import asyncio

    from settings import Settings, read_settings
    from voice.evaluation.review import review as review_turns
    from voice.evaluation.review_report import ReviewFailed, finding_lines, help_lines, read_kept, write_cases

    settings = read_settings(Settings)
    if client is None and settings.environment.is_deployed:
        message = "--client is needed."
        raise mistake(message)
    try:
        loaded, turns = asyncio.run(read_kept(settings, client or "demo", menu))
    except ReviewFailed as error:
        raise mistake(str(error)) from error
    if not turns:
        hint = "" if settings.keep_utterances else "; KEEP_UTTERANCES is 0, so that none are kept"
        click.echo(f"No utterances about {menu}{hint}.")
        return
    found = review_turns(loaded, turns, settings.ask_below)
    confirmed = []
    for number, finding in enumerate(found.findings[:show], 1):
        for line in finding_lines(number, finding):
            click.echo(line)
        if output is not None and finding.case is not None and (yes or click.confirm("    Is that right?")):
            confirmed.append(finding)
    for line in help_lines(found):
        click.echo(line)
    click.echo(f"{found.n_turns} utterances, {len(found.findings)} {'finding' if len(found.findings) == 1 else 'findings'}")
    if output is not None:
        try:
            write_cases(output, confirmed)
        except OSError as error:
            message = f"--output: {error.strerror}"
            raise mistake(message) from error
        click.echo(f"{output}: {len(confirmed)} {'conversation' if len(confirmed) == 1 else 'conversations'}")


def _menu_named(name: str | None) -> "Menu":
    """Return a menu of MENU_DIR by its id, None: the only one; or that of a file."""
    from errors import MenuNotFound
    from settings import MenuSettings, read_settings
    from voice.menus.loading import SUFFIXES, MenuBook, MenuBroken, read_menu

    if name is not None and name.endswith(SUFFIXES):
        try:
            return read_menu(Path(name))
        except MenuBroken as error:
            message = f"--menu: {name}: {error}"
            raise mistake(message) from error
    book: MenuBook[Menu] = MenuBook(read_settings(MenuSettings).menu_dir, lambda loaded: loaded)
    book.refresh()
    try:
        return book.get(name)
    except MenuNotFound as error:
        problems = "".join(f"; {file}: {problem}" for file, problem in book.problems.items())
        message = f"--menu: {error} There are: {', '.join(book.menus) or 'none'}{problems}"
        raise mistake(message) from error


def check_utterance(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Reject an utterance that the order route would not accept."""
    from pydantic import TypeAdapter, ValidationError

    from schemas import Utterance

    try:
        return TypeAdapter(Utterance).validate_python(text)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise click.BadParameter(message, context, parameter) from error


@commands.command()
@click.argument("text", callback=check_utterance)
@click.option("--menu", help="The id of a menu in MENU_DIR; not needed where there is one.")
@click.option("--lines", default="", metavar="ORDER", help="The order so far: '2 x latte [large, no sugar, 2*shot]; tea'.")
@click.option(
    "--asked",
    metavar="KIND:LINE:GROUP:CHOICES",
    help="The open question, as ambiguous:0:size:small|large. LINE counts from 0; without CHOICES, all of GROUP. The end may be left out.",
)
def explain(text: str, menu: str | None, lines: str, asked: str | None) -> None:
    """Show how an utterance is understood.

    Prints how each word was read and why, with the costs of the features; the runner-up, and what it differs in; and the reply.
    """
    from settings import Settings, read_settings
    from voice.dialog.explanation_text import explanation_text
    from voice.dialog.turn import DialogEngine

    engine = DialogEngine(_menu_named(menu), read_settings(Settings).ask_below)
    click.echo(explanation_text(engine.take_turn(text, _state(engine.menu, lines, asked), explain=True)))


def _state(menu: "Menu", order: str, asked: str | None) -> "State":
    """Return the state of a conversation: an order in the notation of the corpus, and the question `KIND:LINE:GROUP:CHOICES`."""
    from pydantic import ValidationError

    from errors import ValidationFailed
    from voice.dialog.lines import draft_of
    from voice.dialog.questions import valid
    from voice.dialog.state import Question, QuestionKind, State
    from voice.orders.corpus import lines_of

    try:
        lines = draft_of(menu, lines_of(menu, order))
    except (ValidationError, ValidationFailed) as error:
        message = "--lines: A quantity is out of range, or the menu lacks a choice."
        raise mistake(message) from error
    except ValueError as error:
        message = f"--lines: {error}"
        raise mistake(message) from error
    if asked is None:
        return State(lines)
    kind, line, group_id, named = [*asked.split(":"), "", "", ""][:4]
    group = menu.option_groups.get(group_id)
    choices = tuple(named.split("|")) if named else tuple(group.choices) if group is not None else ()
    if kind not in {*QuestionKind} or line not in {"", *map(str, range(len(lines)))}:
        message = f"--asked: KIND is one of {', '.join(QuestionKind)}; LINE is empty, or the index of a line in --lines."
        raise mistake(message)
    question = Question(QuestionKind(kind), int(line) if line else None, group_id or None, choices)
    if not valid([question], menu, lines):
        message = "--asked: The line has no such group, or the menu no such choice."
        raise mistake(message)
    return State(lines, (question,))


if __name__ == "__main__":
    run(commands, "python -m voice")
