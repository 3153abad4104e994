"""Shifts: the effect of an arc on a hypothesis, by the role of the arc.

Each function yields the hypotheses behind the arc. Most roles are ambiguous: an arc may extend the open chunk or begin a new one; both are
yielded, each with an event, and the model decides.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from schemas import Amount
from voice.orders.parser.draft import Modifier
from voice.orders.parser.moves import ENUMERATING, Shift
from voice.orders.parser.roles import Role
from voice.orders.parser.state import ANY_ONE, FLAG_OF_ROLE, Chunk, ChunkFlag, Hypothesis

MAX_PORTIONS: Final = 99
VERBS: Final[Mapping[Role, str]] = {
    Role.REMOVE: "remove",
    Role.CHANGE: "change",
    Role.INTO: "into",
    Role.INSTEAD: "instead",
    Role.KEEP: "keep",
    Role.SET: "set",
    Role.SET_IT: "set",
}
POSTPOSED_VERBS: Final = frozenset({"remove", "change", "set", "keep"})  # they may stand behind their object
JOINTS: Final[Mapping[Role, str]] = {Role.COMMA: "comma", Role.STOP: "stop", Role.AND: "and", Role.OR: "or", Role.TIMES: "times"}

Hypotheses = Iterator[Hypothesis]


# --- Connectives and words without an effect on the chunk


def shift_joint(shift: Shift) -> Hypotheses:
    """Note the connective before the next token."""
    new = shift.pass_by()
    new.joint = JOINTS[shift.arc.role]
    if shift.arc.value == "?":
        new.is_inquiry = True
    yield new


def shift_with(shift: Shift) -> Hypotheses:
    """Note a preposition, together with the connective before it."""
    new = shift.pass_by()
    joint, before = "with" if shift.arc.role is Role.WITH else "onto", shift.hypothesis.joint
    new.joint = f"{before}.{joint}" if before in {"and", "comma", "correction"} else joint
    yield new


def shift_filler(shift: Shift) -> Hypotheses:
    """Pass by a word that orders nothing; note a classifier, the number of people, an inquiry."""
    new = shift.pass_by()
    role = shift.arc.role
    if role is Role.CLASSIFIER:
        chunk = new.chunk = new.chunk.copy()
        chunk.flags |= ChunkFlag.CLASSIFIED
    elif role is Role.PEOPLE:
        new.n_people = shift.arc.value
    elif role is Role.INQUIRY:
        new.is_inquiry = True
    yield new


def shift_unread(shift: Shift) -> Hypotheses:
    """Leave a token unread."""
    new = shift.pass_by()
    new.unread = (shift.at, new.unread)
    if shift.hypothesis.is_inquiry:
        shift.note(new, "unread", "inquiry")
    yield new


def shift_request(shift: Shift) -> Hypotheses:
    """Read a request as the verb of an empty chunk, as a word without an effect, or as the beginning of a new chunk."""
    is_empty = shift.hypothesis.chunk.is_empty
    new = shift.pass_by()
    if is_empty:
        new.chunk = new.chunk.copy()
        new.chunk.verb = "add"
    yield new
    for begun, fresh in shift.begin("request") if not is_empty else ():
        fresh.verb = "add"
        yield begun


def shift_only(shift: Shift) -> Hypotheses:
    """Flag the open chunk."""
    new = shift.pass_by()
    chunk = new.chunk = new.chunk.copy()
    chunk.flags |= ChunkFlag.ONLY
    yield new


# --- Numbers


def shift_number(shift: Shift) -> Hypotheses:
    """Read a number as that of the open chunk, as portions of the next option, or as the beginning of a new chunk."""
    hypothesis, value = shift.hypothesis, shift.arc.value
    chunk = hypothesis.chunk
    if hypothesis.joint == "times":
        yield from _multiply(shift)
        return
    is_article = shift.arc.role is Role.ARTICLE
    yield from _count_chunk(shift, is_article=is_article)
    if (chunk.items or chunk.modifiers or chunk.verb) and not hypothesis.portions:
        new = shift.pass_by()
        new.portions = ANY_ONE if is_article else value
        shift.note(new, "portions", hypothesis.joint, "article" if is_article else "one" if value == 1 else "many")
        yield new
    if not shift.cuts_nothing_off or hypothesis.joint:
        for begun, fresh in shift.begin():
            fresh.number, fresh.is_article = value, is_article
            yield begun


def _count_chunk(shift: Shift, *, is_article: bool) -> Hypotheses:
    """Yield the open chunk with a number, in front of its content or behind it."""
    hypothesis = shift.hypothesis
    chunk = hypothesis.chunk
    if hypothesis.amount is not None:
        return
    has_content = bool(chunk.items or chunk.modifiers)
    is_in_front = not has_content and (not chunk.number or chunk.is_article)
    is_behind = has_content and not chunk.number and hypothesis.joint == "" and not is_article
    if is_in_front and hypothesis.joint in {"", "with"}:
        new, counted = shift.extend()
        counted.number, counted.is_article = shift.arc.value, is_article
        new.joint = ""
        yield new
    elif is_behind:
        new, counted = shift.extend()
        counted.number = shift.arc.value
        counted.flags |= ChunkFlag.NUMBER_BEHIND
        shift.note(new, "postposed", "options" if chunk.modifiers else "item")
        yield new


def _multiply(shift: Shift) -> Hypotheses:
    """Yield the open chunk with a factor: of its last modifier, or of its item."""
    chunk, value = shift.hypothesis.chunk, shift.arc.value
    if chunk.modifiers:
        new, multiplied = shift.extend()
        *before, last = chunk.modifiers
        multiplied.modifiers = (*before, last._replace(quantity=min(MAX_PORTIONS, value)))
        new.joint = ""
        yield new
    if not chunk.number:
        new, multiplied = shift.extend()
        multiplied.number = value
        new.joint = ""
        yield new


def shift_portion(shift: Shift) -> Hypotheses:
    """Note the portions of the next option."""
    new = shift.pass_by()
    new.portions = shift.arc.value
    yield new


# --- Names


def shift_item(shift: Shift) -> Hypotheses:
    """Read items as those of the open chunk, or as the beginning of a new chunk."""
    hypothesis, arc = shift.hypothesis, shift.arc
    chunk = hypothesis.chunk
    asked = _asked_items(shift)
    name_flag = ChunkFlag.PARTIAL_NAME if arc.is_partial else ChunkFlag.NONE
    items = shift.reducer.index.accepting(arc.value, chunk.modifiers) if chunk.modifiers else arc.value
    if not chunk.items and items and hypothesis.amount not in {"light", "extra", "regular"}:
        new, named = shift.extend()
        named.items = items
        named.flags |= name_flag
        if hypothesis.amount == "no":
            named.verb = "remove"
        if not named.number and hypothesis.portions > 0:
            named.number = hypothesis.portions
        new.amount, new.portions, new.joint = None, 0, ""
        content = "options" if chunk.modifiers else "number" if chunk.number else chunk.verb or "empty"
        shift.note(new, "item", hypothesis.joint, content, arc.is_partial, asked)
        yield new
    if not shift.cuts_nothing_off:
        for begun, fresh in shift.begin():
            fresh.items = arc.value
            fresh.flags |= name_flag
            shift.note(begun, "item", "", "new", arc.is_partial, asked)
            yield begun


def _asked_items(shift: Shift) -> str:
    """Return how items relate to the open question, as an attribute of events."""
    question = shift.question
    if question is None or not question.choices:
        return "none"
    if question.group is not None:
        return "group"
    return "other" if set(shift.arc.value).isdisjoint(question.choices) else "asked"


def shift_option(shift: Shift) -> Hypotheses:
    """Read choices as a modifier in the open chunk, or as the beginning of a new chunk."""
    hypothesis, refs, asked = shift.hypothesis, shift.arc.value, "none"
    question = shift.question
    if question is not None and question.group is not None:
        fitting = tuple([ref for ref in refs if ref.group == question.group])
        refs = fitting or refs
        asked = "other" if not fitting else "asked" if any([ref.choice in question.choices for ref in fitting]) else "group"
    portions = max(1, min(MAX_PORTIONS, hypothesis.portions))
    beginning = _without_amount(shift) if hypothesis.portions or not hypothesis.chunk.is_empty else None
    for amount, event in _amounts(hypothesis):
        modifier = Modifier(refs, amount, portions)
        yield from _extend_by_modifier(shift, modifier, asked, event)
        for begun, fresh in beginning.begin() if beginning is not None else ():
            fresh.modifiers = (modifier,)
            begun.is_negation_open = amount == "no"
            shift.note(begun, "option_begins", shift.arc.is_partial, asked)
            yield begun


def _without_amount(shift: Shift) -> Shift:
    """Return the shift with amount and portions taken off the open chunk: they belong to the new one."""
    if shift.hypothesis.amount is None and not shift.hypothesis.portions:
        return shift
    bare = shift.hypothesis.fork()
    bare.amount, bare.portions = None, 0
    return Shift(shift.reducer, bare, shift.arc, shift.at, shift.question)


def _extend_by_modifier(shift: Shift, modifier: Modifier, asked: str, event: tuple[object, ...] | None) -> Hypotheses:
    chunk, joint = shift.hypothesis.chunk, shift.hypothesis.joint
    items = shift.reducer.index.accepting(chunk.items, (modifier,))
    if chunk.items and not items:
        return
    new, modified = shift.extend()
    modified.items = items
    modified.modifiers = (*chunk.modifiers, modifier)
    content = "item" if chunk.items else "options" if chunk.modifiers else "empty"
    shift.note(new, "option", joint, content, shift.arc.is_partial, asked)
    if event is not None:
        shift.note(new, *event)
    new.is_negation_open = modifier.amount == "no"
    new.amount, new.portions, new.joint = None, 0, ""
    yield new


def _amounts(hypothesis: Hypothesis) -> Iterator[tuple[Amount | None, tuple[object, ...] | None]]:
    """Yield the amounts that an option may have, each with its event."""
    amount, joint = hypothesis.amount, hypothesis.joint
    if amount == "extra":  # more of the option, or one more portion
        yield amount, ("extra", False, bool(hypothesis.portions))
        yield None, ("extra", True, bool(hypothesis.portions))
    elif amount is None and hypothesis.is_negation_open and (joint in ENUMERATING or joint == ""):
        yield None, ("carried", joint, False)
        yield "no", ("carried", joint, True)
    else:
        yield amount, None


# --- Amounts


def shift_amount(shift: Shift) -> Hypotheses:
    """Note the amount of the next option; "no" may also begin a correction."""
    before, value = shift.hypothesis.amount, shift.arc.value
    new = shift.pass_by()
    if before is not None:
        shift.note(new, "dangling", "amount")
    new.amount = "regular" if (before, value) == ("no", "extra") else value
    yield new
    if value == "no" and not shift.hypothesis.chunk.is_empty:
        for begun, _ in shift.begin("correction"):
            shift.note(begun, "correction_by_no")
            yield begun


def shift_amount_behind(shift: Shift) -> Hypotheses:
    """Read an amount as that of the modifier before it; "no" may also remove the item before it."""
    hypothesis, value = shift.hypothesis, shift.arc.value
    chunk = hypothesis.chunk
    if chunk.modifiers and hypothesis.joint == "" and chunk.modifiers[-1].amount is None:
        new, changed = shift.extend()
        *before, last = chunk.modifiers
        changed.modifiers = (*before, last._replace(amount=value))
        new.is_negation_open = False
        yield new
    if value == "no" and (chunk.items or chunk.flags & ChunkFlag.REFERENCE) and chunk.verb in {"", "add"}:
        new, removed = shift.extend()
        removed.verb = "remove"
        shift.note(new, "verb_behind", "no")
        yield new


# --- Operations


def shift_verb(shift: Shift) -> Hypotheses:
    """Read a verb as that of a new chunk, or of the open chunk before it; "remove" may also mean "no"."""
    arc, chunk = shift.arc, shift.hypothesis.chunk
    verb = VERBS[arc.role]
    for begun, fresh in shift.begin("correction" if chunk.link == "correction" and chunk.is_empty else None):
        fresh.verb = verb
        fresh.flags |= ChunkFlag.REFERENCE if arc.role is Role.SET_IT else ChunkFlag.NONE
        if arc.role is Role.REMOVE and arc.value:
            fresh.number = arc.value
        yield begun
    if verb in POSTPOSED_VERBS and not chunk.is_empty and chunk.verb in {"", "add"} and shift.hypothesis.joint == "":
        new, changed = shift.extend()
        changed.verb = verb
        shift.note(new, "verb_behind", verb)
        yield new
    if verb == "remove":
        new = shift.pass_by()
        new.amount = "no"
        shift.note(new, "as_no")
        yield new


def shift_more(shift: Shift) -> Hypotheses:
    """Read "more" as said of the open chunk, of a new one, or as a connective like "with"."""
    chunk, value = shift.hypothesis.chunk, shift.arc.value
    if (chunk.items or chunk.number) and not chunk.flags & ChunkFlag.MORE and shift.hypothesis.joint == "":
        new, more = shift.extend()
        more.flags |= ChunkFlag.MORE
        more.number = more.number or value
        shift.note(new, "flag", "more", "")
        yield new
    for begun, fresh in shift.begin():
        fresh.flags |= ChunkFlag.MORE
        fresh.number = value
        yield begun
    if chunk.items or chunk.modifiers:
        new = shift.pass_by()
        new.joint = "with"
        shift.note(new, "skip", "more")
        yield new


def shift_again(shift: Shift) -> Hypotheses:
    """Begin a chunk that repeats a line."""
    for begun, fresh in shift.begin():
        fresh.flags |= ChunkFlag.AGAIN
        yield begun


def shift_correction(shift: Shift) -> Hypotheses:
    """Begin a chunk that corrects the one before."""
    for begun, _ in shift.begin("correction"):
        yield begun


def shift_cancel(shift: Shift) -> Hypotheses:
    """Empty the draft."""
    for begun, fresh in shift.begin():
        shift.note(begun, "cancel", fresh.link, fresh.verb)
        begun.draft, begun.focus, begun.new_lines, begun.forwarded, begun.target = (), (), (), (), None
        begun.n_edits += 1
        begun.chunk = Chunk()
        yield begun


# --- References


def shift_reference(shift: Shift) -> Hypotheses:
    """Read a reference as said of the open chunk, or as the beginning of a new one; a pronoun may have no effect."""
    flag, chunk = FLAG_OF_ROLE[shift.arc.role], shift.hypothesis.chunk
    if flag is not ChunkFlag.REST or chunk.is_empty or chunk.verb not in {"", "add"}:
        new, flagged = shift.extend()
        _set_flag(flagged, flag, shift)
        if chunk.is_empty:
            new.joint = ""
        shift.note(new, "flag", shift.arc.role.name.lower(), shift.hypothesis.joint)
        yield new
    if not chunk.is_empty and flag is not ChunkFlag.ONES:
        for begun, fresh in shift.begin():
            _set_flag(fresh, flag, shift)
            yield begun
    if flag is ChunkFlag.REFERENCE:
        new = shift.pass_by()
        shift.note(new, "skip", "reference")
        yield new


def _set_flag(chunk: Chunk, flag: ChunkFlag, shift: Shift) -> None:
    chunk.flags |= flag
    if flag is ChunkFlag.ALL:
        chunk.scope = shift.arc.value


def shift_ordinal(shift: Shift) -> Hypotheses:
    """Read the place of a line into the open chunk or a new one; it may have no effect."""
    new, placed = shift.extend()
    placed.place = shift.arc.value
    yield new
    if not shift.hypothesis.chunk.is_empty:
        for begun, fresh in shift.begin():
            fresh.place = shift.arc.value
            yield begun
    new = shift.pass_by()
    shift.note(new, "skip", "ordinal")
    yield new


def shift_share(shift: Shift) -> Hypotheses:
    """Read a fraction of a line into the open chunk or a new one."""
    new, shared = shift.extend()
    shared.share = shift.arc.value
    yield new
    if not shift.hypothesis.chunk.is_empty:
        for begun, fresh in shift.begin():
            fresh.share = shift.arc.value
            yield begun


# --- Answers


def shift_answer(shift: Shift) -> Hypotheses:
    """Read an answer as one to the open question, and as a word without an effect."""
    question = shift.question
    for begun, _ in shift.begin():
        shift.note(begun, "say", shift.arc.role.name.lower(), question.kind if question else "", shift.at == 0)
        yield begun
        if question is None or begun.n_edits:
            continue
        for answered in shift.reducer.answer(begun, shift.arc.role, question):
            answered.chunk = Chunk("answer")
            yield answered


SHIFTS: Final[Mapping[Role, Callable[[Shift], Hypotheses]]] = {
    Role.ITEM: shift_item,
    Role.OPTION: shift_option,
    Role.NUMBER: shift_number,
    Role.ARTICLE: shift_number,
    Role.PORTION: shift_portion,
    Role.AMOUNT: shift_amount,
    Role.AMOUNT_BEHIND: shift_amount_behind,
    Role.REQUEST: shift_request,
    Role.MORE: shift_more,
    Role.AGAIN: shift_again,
    Role.ONLY: shift_only,
    Role.CORRECTION: shift_correction,
    Role.CANCEL: shift_cancel,
    Role.ORDINAL: shift_ordinal,
    Role.SHARE: shift_share,
    Role.WITH: shift_with,
    Role.ONTO: shift_with,
    Role.UNREAD: shift_unread,
    **dict.fromkeys(JOINTS, shift_joint),
    **dict.fromkeys(VERBS, shift_verb),
    **dict.fromkeys(FLAG_OF_ROLE, shift_reference),
    **dict.fromkeys((Role.FILLER, Role.CLASSIFIER, Role.TALK, Role.PEOPLE, Role.INQUIRY), shift_filler),
    **dict.fromkeys((Role.YES, Role.NO, Role.DONE, Role.ANY, Role.MOST, Role.LEAST), shift_answer),
}
