"""Report a score: as text for a terminal, and as JUnit XML for a merchant's continuous integration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # only written, never parsed

from schemas import Order
from voice.evaluation.aliases import Remedy
from voice.evaluation.scoring import Outcome, Score, Verdict

INDENT = "    "


def summary(scored: Score) -> str:
    """Return the shares in one line."""
    n_turns = len(scored.outcomes)
    false_changes, missed = scored.count(Verdict.FALSE_CHANGE), scored.count(Verdict.MISSED)
    return (
        f"{n_turns} turns: {scored.count(Verdict.EXACT)} exact ({scored.exact_share:.1%}), "
        f"{false_changes} false changes ({false_changes / max(1, n_turns):.1%}), {missed} missed"
    )


def worst_lines(scored: Score, n_shown: int) -> Iterator[str]:
    """Yield the worst turns, each with what was expected, what came, and why."""
    for outcome in scored.worst[:n_shown]:
        yield f"line {outcome.row}{f', turn {outcome.turn + 1}' if outcome.turn else ''}: {outcome.verdict}: {outcome.expected.said!r}"
        yield f"{INDENT}right:  {notation([line.model_dump() for line in outcome.expected.right[0]])}"
        yield f"{INDENT}got:    {notation(outcome.reply['lines'])}"
        yield from [f"{INDENT}{reason}" for reason in reasons(outcome.reply)]
    if len(scored.worst) > n_shown:
        yield f"and {len(scored.worst) - n_shown} more; --worst shows them"


def reasons(reply: Order) -> Iterator[str]:
    """Yield how the words were read, which were not, and what is asked instead."""
    explained = reply.get("explain")
    if explained is not None:
        named = [
            f"«{arc['text']}» as {'|'.join(one['id'] for one in arc['fits'])}{' (a part of the name)' if arc['partial'] else ''}"
            for arc in explained["chosen"]["arcs"]
            if arc["fits"]
        ]
        if named:
            yield f"read:   {', '.join(named)}"
        if explained["chosen"]["unread"]:
            yield f"unread: {' '.join(explained['chosen']['unread'])}"
    blocking = [question["text"] for question in reply["questions"] if question["blocks"]]
    if blocking:
        yield f"asks:   {' '.join(blocking)}"


def remedy_lines(remedies: Iterable[Remedy]) -> Iterator[str]:
    """Yield the aliases that would mend turns."""
    for remedy in remedies:
        broken = f", breaks {remedy.n_broken}" if remedy.n_broken else ""
        yield f"{remedy_place(remedy)}.aliases: {remedy.alias!r} mends {', '.join(f'line {row}' for row in remedy.mended)}{broken}"


def remedy_place(remedy: Remedy) -> str:
    """Return the place in the menu of what gets an alias."""
    group, part = remedy.part
    return f"items.{part}" if group is None else f"option_groups.{group}.choices.{part}"


def notation(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return an order in the notation of the cases."""
    return "; ".join(map(_line, lines)) or "nothing"


def _line(line: Mapping[str, Any]) -> str:
    count = f"{line['quantity']} x " if line["quantity"] > 1 else ""
    return f"{count}{line['item']}{_options(line)}"


def _options(of: Mapping[str, Any]) -> str:
    listed = ", ".join(map(_option, of.get("options") or ()))
    return f" [{listed}]" if listed else ""


def _option(option: Mapping[str, Any]) -> str:
    amount = f"{option['amount']} " if option["amount"] else ""
    count = f"{option['quantity']}*" if option["quantity"] > 1 else ""
    return f"{amount}{count}{option['choice'] or '|'.join(option.get('alternatives') or ())}{_options(option)}"


def write_junit(path: Path, name: str, outcomes: Sequence[Outcome]) -> None:
    """Write a JUnit file: a test case a turn.

    Raises:
        OSError: the file cannot be written.

    """
    n_wrong = sum(outcome.verdict is not Verdict.EXACT for outcome in outcomes)
    suite = ET.Element("testsuite", name=name, tests=str(len(outcomes)), failures=str(n_wrong), errors="0", skipped="0")
    for outcome in outcomes:
        turn = f" turn {outcome.turn + 1}" if outcome.turn else ""
        case = ET.SubElement(suite, "testcase", classname=name, name=f"line {outcome.row}{turn}: {outcome.expected.said}")
        if outcome.verdict is not Verdict.EXACT:
            right, got = notation([line.model_dump() for line in outcome.expected.right[0]]), notation(outcome.reply["lines"])
            failure = ET.SubElement(case, "failure", type=outcome.verdict.replace(" ", "_"), message=f"right: {right}; got: {got}")
            failure.text = "\n".join(reasons(outcome.reply))
    ET.indent(suite)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
