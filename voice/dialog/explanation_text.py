"""The explanation of a turn as text for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from schemas import ChosenParse, Explanation, FeatureCost, FeatureDifference, Order, ParsedArc, ParsedEvent, RunnerUp

MIN_ACT: Final = 0.01  # probability of an act that is shown
MAX_SHOWN: Final = 3  # features of an arc or an event
UNSHOWN: Final[tuple[object, ...]] = ("", [], False, "none")  # values of attributes
INDENT: Final = "    "


def explanation_text(reply: Order) -> str:
    """Return a reply and its explanation; "" if it was not asked for one."""
    explained = reply.get("explain")
    return "\n".join([*_reading_rows(explained), "", *_reply_rows(reply)]) if explained is not None else ""


def _reading_rows(explained: Explanation) -> Iterator[str]:
    acts = [f"{name} {probability:.2f}" for name, probability in explained["acts"].items() if probability >= MIN_ACT]
    yield f"Utterance  {explained['utterance']}"
    yield f"Answers    {_asked(explained)}"
    yield f"Act        {explained['act']}; by its words {', '.join(acts)}"
    yield from ["", *_chosen_rows(explained["chosen"])]
    other = explained["runner_up"]
    yield from ["", *(_runner_up_rows(other) if other is not None else ("Runner-up: none",))]


def _asked(explained: Explanation) -> str:
    asked = explained["asked"]
    if asked is None:
        return "no question"
    about = [f"line {asked['line']}"] if asked["line"] is not None else []
    about += [f"group {asked['group']}"] if asked["group"] is not None else []
    choices = f": {', '.join(asked['choices'])}" if asked["choices"] else ""
    return ", ".join([asked["kind"], *about]) + choices


def _chosen_rows(parse: ChosenParse) -> Iterator[str]:
    yield f"Chosen: probability {parse['probability']:.3f}, cost {parse['cost']:.2f}"
    yield from _order_rows(parse["order"], parse["unresolved"])
    if parse["unread"]:
        yield f"{INDENT}unread: {' '.join(parse['unread'])}"
    yield "Derivation: cost, role or event, words or attributes, features"
    events = list(parse["events"])
    for number, arc in enumerate(parse["arcs"]):
        yield from _event_rows([event for event in events if event["n_arcs"] == number])
        yield _arc_row(arc)
    yield from _event_rows([event for event in events if event["n_arcs"] >= len(parse["arcs"])])
    yield "Edits"
    for edit in parse["edits"]:
        for line in edit["lines"]:
            yield f"{INDENT}«{edit['text']}»  line {line['line']}: {line['before'] or 'none'} -> {line['after'] or 'none'}"


def _runner_up_rows(parse: RunnerUp) -> Iterator[str]:
    yield f"Runner-up: probability {parse['probability']:.3f}, cost {parse['cost']:.2f}"
    yield from _order_rows(parse["order"], parse["unresolved"])
    if parse["arcs"]:
        yield "Words that it reads in other roles"
        yield from map(_arc_row, parse["arcs"])
    yield "Differences: cost that they add to the runner-up, feature, value in each"
    yield from [_difference_row(one) for one in parse["differences"]]


def _order_rows(order: Sequence[str], unresolved: Sequence[str]) -> Iterator[str]:
    yield from [f"{INDENT}{line}" for line in order or ["(empty)"]]
    yield from [f"{INDENT}{line}  (not ordered: several items fit, or none is available)" for line in unresolved]


def _arc_row(arc: ParsedArc) -> str:
    names = [f"{one['group']}.{one['id']}" if "group" in one else one["id"] for one in arc["fits"]]
    value = "|".join(names) if names else "" if arc["value"] is None else str(arc["value"])
    role = f"{arc['role']}, in part" if arc["partial"] else arc["role"]
    return _row(arc["cost"], role, f"«{arc['text']}» {value}", arc["features"])


def _event_rows(events: Iterable[ParsedEvent]) -> Iterator[str]:
    for event in events:
        attributes = [f"{name}={_value(value)}" for name, value in event["attributes"].items() if value not in UNSHOWN]
        yield _row(event["cost"], f"> {event['event']}", " ".join(attributes), event["features"])


def _value(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _row(cost: float, name: str, text: str, features: Sequence[FeatureCost]) -> str:
    heaviest = ", ".join([f"{one['feature']} {one['cost']:+.2f}" for one in features[:MAX_SHOWN]])
    return f"  {cost:6.2f}  {name:16} {text:36} {heaviest}".rstrip()


def _difference_row(one: FeatureDifference) -> str:
    return f"  {one['cost']:+6.2f}  {one['feature']}: {one['chosen']:g} -> {one['runner_up']:g}"


def _reply_rows(reply: Order) -> Iterator[str]:
    yield f"Reply: {reply['status']}, {reply['total']} {reply['currency']}"
    for line in reply["lines"]:
        options = ", ".join([f"{option['amount'] + ' ' if option['amount'] else ''}{option['name']}" for option in line["options"]])
        confidence = f", confidence {line['confidence']}" if line["confidence"] is not None else ""
        yield f"{INDENT}{line['quantity']} x {line['name']} {{{options}}} {line['total']}{confidence}"
    yield from [f"{INDENT}unmatched: {unmatched}" for unmatched in reply["unmatched"]]
    yield from [f"{INDENT}{question['kind']}: {question['text']}" for question in reply["questions"]]
    yield f"{INDENT}says: {reply['say']['text']}"
