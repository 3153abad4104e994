"""Shifts: what an arc does to the open chunk, or to a new one behind it, by its role."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from schemas import Amount
from voice.orders.parser.draft import MenuIndex, Selection
from voice.orders.parser.lexicon import Arc
from voice.orders.parser.model import Model
from voice.orders.parser.reduce import Question, Reducer
from voice.orders.parser.roles import Role
from voice.orders.parser.state import MARK_OF_ROLE, Chunk, Hypothesis, Mark

MAX_PORTIONS: Final = 99
ANY_ONE: Final = -1  # portions of an article
LISTING: Final = frozenset({"and", "comma", "or"})
# The verbs of roles, and the verbs that a chunk behind "and" takes over.
VERBS: Final[Mapping[Role, str]] = {
    Role.REMOVE: "remove",
    Role.CHANGE: "change",
    Role.INTO: "into",
    Role.INSTEAD: "instead",
    Role.KEEP: "keep",
    Role.SET: "set",
    Role.SET_IT: "set",
}
INHERITED: Final = frozenset({"remove", "instead", "set"})
POSTPOSED: Final = frozenset({"remove", "change", "set", "keep"})
JOINTS: Final[Mapping[Role, str]] = {Role.COMMA: "comma", Role.STOP: "stop", Role.AND: "and", Role.OR: "or", Role.TIMES: "times"}


class Shifter:
    """Shifts arcs; one method for each kind of role."""

    def __init__(self, index: MenuIndex, model: Model, reducer: Reducer) -> None:
        self._index = index
        self._model = model
        self._reducer = reducer
        self._note = reducer.note
        joint, with_, skip, mark, verb, answer = self._joint, self._with, self._skip, self._mark, self._verb, self._answer
        self._by_role: dict[Role, Callable[[Hypothesis, Arc, int, Question | None], Iterator[Hypothesis]]] = {
            Role.ITEM: self._item,
            Role.OPTION: self._option,
            Role.NUMBER: self._number,
            Role.ARTICLE: self._number,
            Role.PORTION: self._portion,
            Role.AMOUNT: self._amount,
            Role.AMOUNT_BEHIND: self._amount_behind,
            Role.REQUEST: self._request,
            Role.MORE: self._more,
            Role.AGAIN: self._again,
            Role.ONLY: self._only,
            Role.CORRECTION: self._correction,
            Role.CANCEL: self._cancel,
            Role.ORDINAL: self._ordinal,
            Role.SHARE: self._share,
            Role.WITH: with_,
            Role.ONTO: with_,
            Role.UNREAD: self._unread,
            **dict.fromkeys(JOINTS, joint),
            **dict.fromkeys(VERBS, verb),
            **dict.fromkeys(MARK_OF_ROLE, mark),
            **dict.fromkeys((Role.FILLER, Role.CLASSIFIER, Role.TALK, Role.PEOPLE, Role.INQUIRY), skip),
            **dict.fromkeys((Role.YES, Role.NO, Role.DONE, Role.ANY, Role.MOST, Role.LEAST), answer),
        }

    def shift(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        """Yield the hypotheses that go on with an arc."""
        return self._by_role[arc.role](hypothesis, arc, at, question)

    # --- Moves that all roles share

    def _on(self, hypothesis: Hypothesis, arc: Arc) -> Hypothesis:
        """Go on behind an arc; the chunk is shared."""
        new = hypothesis.fork()
        if arc.features:
            new.cost += arc.cost
            new.trace = (arc, new.trace)
        return new

    def _stay(self, hypothesis: Hypothesis, arc: Arc, at: int) -> tuple[Hypothesis, Chunk]:
        """Go on in the open chunk."""
        new = self._on(hypothesis, arc)
        chunk = new.chunk = hypothesis.chunk.copy()
        if chunk.start < 0:
            chunk.start = at
            chunk.link = chunk.link or hypothesis.joint
        chunk.end = at + arc.length
        return new, chunk

    def _begin(
        self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None, link: str | None = None
    ) -> Iterator[tuple[Hypothesis, Chunk]]:
        """Reduce the open chunk in every way and go on in a new one."""
        link = hypothesis.joint if link is None else link
        verb = hypothesis.chunk.verb
        if hypothesis.chunk.is_empty:
            link = link or hypothesis.chunk.link
        for reduced in self._reducer.reduce(hypothesis, question):
            new = self._on(reduced, arc)
            new.joint = ""
            new.carried = new.carried and link in LISTING
            new.chunk = Chunk(link, "", at, at + arc.length)
            if hypothesis.chunk.is_empty:
                new.chunk.verb = verb
            else:
                self._note(new, ("begin", link, verb))
            yield new, new.chunk
            if verb in INHERITED and link in LISTING:
                heir = new.fork()
                heir.chunk = Chunk(link, verb, at, at + arc.length)
                self._note(heir, ("inherit", verb))
                yield heir, heir.chunk

    @staticmethod
    def _can_stay(hypothesis: Hypothesis) -> bool:
        """Return whether nothing was begun that a new chunk would cut off."""
        return hypothesis.chunk.is_empty and hypothesis.amount is None and not hypothesis.portions

    # --- Small words

    def _joint(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        new.joint = JOINTS[arc.role]
        if arc.value == "?":
            new.inquiry = True
        yield new

    def _with(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        joint = "with" if arc.role is Role.WITH else "onto"
        new.joint = f"{hypothesis.joint}.{joint}" if hypothesis.joint in {"and", "comma", "correction"} else joint
        yield new

    def _skip(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        if arc.role is Role.CLASSIFIER:
            chunk = new.chunk = new.chunk.copy()
            chunk.marks |= Mark.CLASSIFIED
        elif arc.role is Role.PEOPLE:
            new.people = arc.value
        elif arc.role is Role.INQUIRY:
            new.inquiry = True
        yield new

    def _unread(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        new.unread = (at, new.unread)
        if hypothesis.inquiry:
            self._note(new, ("unread", "inquiry"))
        yield new

    def _request(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        new = self._on(hypothesis, arc)
        if hypothesis.chunk.is_empty:
            chunk = new.chunk = hypothesis.chunk.copy()
            chunk.verb = "add"
        yield new
        if not hypothesis.chunk.is_empty:
            for begun, chunk in self._begin(hypothesis, arc, at, question, "request"):
                chunk.verb = "add"
                yield begun

    def _only(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        chunk = new.chunk = hypothesis.chunk.copy()
        chunk.marks |= Mark.ONLY
        yield new

    # --- Numbers

    def _number(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        chunk = hypothesis.chunk
        if hypothesis.joint == "times":
            yield from self._multiplied(hypothesis, arc, at)
            return
        is_article = arc.role is Role.ARTICLE
        yield from self._counts_chunk(hypothesis, arc, at, is_article=is_article)
        if (chunk.items or chunk.selections or chunk.verb) and not hypothesis.portions:
            new = self._on(hypothesis, arc)
            new.portions = ANY_ONE if is_article else arc.value
            self._note(new, ("portions", hypothesis.joint, "article" if is_article else "one" if arc.value == 1 else "many"))
            yield new
        if not self._can_stay(hypothesis) or hypothesis.joint:
            for begun, fresh in self._begin(hypothesis, arc, at, question):
                fresh.number, fresh.is_article = arc.value, is_article
                yield begun

    def _counts_chunk(self, hypothesis: Hypothesis, arc: Arc, at: int, *, is_article: bool) -> Iterator[Hypothesis]:
        """Yield the open chunk with a number, before its item or behind it."""
        chunk = hypothesis.chunk
        if hypothesis.amount is not None:
            return
        in_front = not chunk.items and not chunk.selections and (not chunk.number or chunk.is_article)
        behind = bool(chunk.items or chunk.selections) and not chunk.number and hypothesis.joint == "" and not is_article
        if in_front and hypothesis.joint in {"", "with"}:
            new, counted = self._stay(hypothesis, arc, at)
            counted.number, counted.is_article = arc.value, is_article
            new.joint = ""
            yield new
        elif behind:
            new, counted = self._stay(hypothesis, arc, at)
            counted.number = arc.value
            counted.marks |= Mark.NUMBER_BEHIND
            self._note(new, ("postposed", "options" if chunk.selections else "item"))
            yield new

    def _multiplied(self, hypothesis: Hypothesis, arc: Arc, at: int) -> Iterator[Hypothesis]:
        """Yield "ranch times two", "coke x 2"."""
        selections = hypothesis.chunk.selections
        if selections:
            new, chunk = self._stay(hypothesis, arc, at)
            chunk.selections = (*selections[:-1], selections[-1]._replace(quantity=min(MAX_PORTIONS, arc.value)))
            new.joint = ""
            yield new
        if not hypothesis.chunk.number:
            new, chunk = self._stay(hypothesis, arc, at)
            chunk.number = arc.value
            new.joint = ""
            yield new

    # --- Names

    def _item(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        event = self._item_event(hypothesis, arc, question)
        chunk = hypothesis.chunk
        items = self._index.takers(arc.value, chunk.selections) if chunk.selections else arc.value
        if not chunk.items and items and hypothesis.amount not in {"light", "extra", "regular"}:
            new, named = self._stay(hypothesis, arc, at)
            named.items = items
            named.marks |= Mark.PARTIAL_NAME if arc.partial else Mark.NONE
            if hypothesis.amount == "no":
                named.verb = "remove"
            if not named.number and hypothesis.portions > 0:
                named.number = hypothesis.portions
            new.amount, new.portions, new.joint = None, 0, ""
            self._note(new, event)
            yield new
        if not self._can_stay(hypothesis):
            for begun, fresh in self._begin(hypothesis, arc, at, question):
                fresh.items = arc.value
                fresh.marks |= Mark.PARTIAL_NAME if arc.partial else Mark.NONE
                self._note(begun, ("item", "", "new", arc.partial, event[4]))
                yield begun

    @staticmethod
    def _item_event(hypothesis: Hypothesis, arc: Arc, question: Question | None) -> tuple[str, str, str, bool, str]:
        asked = "none"
        if question is not None and question.choices:
            asked = "group" if question.group is not None else "asked" if not set(arc.value).isdisjoint(question.choices) else "other"
        chunk = hypothesis.chunk
        what = "options" if chunk.selections else "number" if chunk.number else chunk.verb or "empty"
        return "item", hypothesis.joint, what, arc.partial, asked

    def _option(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        refs, asked = arc.value, "none"
        if question is not None and question.group is not None:
            fitting = tuple([ref for ref in refs if ref.group == question.group])
            refs = fitting or refs
            asked = "other" if not fitting else "asked" if any([ref.choice in question.choices for ref in fitting]) else "group"
        portions = max(1, min(MAX_PORTIONS, hypothesis.portions))
        for amount, event in self._amounts_of(hypothesis):
            selection = Selection(refs, amount, portions)
            yield from self._option_stays(hypothesis, arc, at, selection, (asked, event))
            if not (hypothesis.chunk.is_empty and not hypothesis.portions):
                bare = hypothesis.fork()
                bare.reductions = None
                bare.amount, bare.portions = None, 0
                source = hypothesis if hypothesis.amount is None and not hypothesis.portions else bare
                for begun, fresh in self._begin(source, arc, at, question):
                    fresh.selections = (selection,)
                    begun.carried = amount == "no"
                    self._note(begun, ("option_begins", arc.partial, asked))
                    yield begun

    def _option_stays(
        self, hypothesis: Hypothesis, arc: Arc, at: int, selection: Selection, how: tuple[str, tuple[object, ...] | None]
    ) -> Iterator[Hypothesis]:
        chunk = hypothesis.chunk
        items = self._index.takers(chunk.items, (selection,))
        if chunk.items and not items:
            return
        asked, event = how
        new, fuller = self._stay(hypothesis, arc, at)
        fuller.items = items
        fuller.selections = (*chunk.selections, selection)
        self._note(
            new, ("option", hypothesis.joint, "item" if chunk.items else "options" if chunk.selections else "empty", arc.partial, asked)
        )
        if event is not None:
            self._note(new, event)
        new.carried = selection.amount == "no"
        new.amount, new.portions, new.joint = None, 0, ""
        yield new

    @staticmethod
    def _amounts_of(hypothesis: Hypothesis) -> Iterator[tuple[Amount | None, tuple[object, ...] | None]]:
        """Yield the amounts that an option may have, each with its event."""
        amount = hypothesis.amount
        if amount == "extra":  # more of it, or one more portion
            yield amount, ("extra", False, bool(hypothesis.portions))
            yield None, ("extra", True, bool(hypothesis.portions))
        elif amount is None and hypothesis.carried and hypothesis.joint in {*LISTING, ""}:
            yield None, ("carried", hypothesis.joint, False)
            yield "no", ("carried", hypothesis.joint, True)
        else:
            yield amount, None

    # --- Amounts

    def _amount(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        new = self._on(hypothesis, arc)
        if hypothesis.amount is not None:
            self._note(new, ("dangling", "amount"))
        new.amount = "regular" if (hypothesis.amount, arc.value) == ("no", "extra") else arc.value
        yield new
        if arc.value == "no" and not hypothesis.chunk.is_empty:
            for begun, _ in self._begin(hypothesis, arc, at, question, "correction"):
                self._note(begun, ("correction_by_no",))
                yield begun

    def _portion(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        new = self._on(hypothesis, arc)
        new.portions = arc.value
        yield new

    def _amount_behind(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:  # noqa: ARG002
        chunk = hypothesis.chunk
        if chunk.selections and hypothesis.joint == "" and chunk.selections[-1].amount is None:
            new, changed = self._stay(hypothesis, arc, at)
            changed.selections = (*chunk.selections[:-1], chunk.selections[-1]._replace(amount=arc.value))
            new.carried = False
            yield new
        if arc.value == "no" and (chunk.items or chunk.marks & Mark.REFERENCE) and chunk.verb in {"", "add"}:
            new, removed = self._stay(hypothesis, arc, at)
            removed.verb = "remove"
            self._note(new, ("verb_behind", "no"))
            yield new

    # --- Operations

    def _verb(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        verb, chunk = VERBS[arc.role], hypothesis.chunk
        link = "correction" if chunk.link == "correction" and chunk.is_empty else None
        for begun, fresh in self._begin(hypothesis, arc, at, question, link):
            fresh.verb = verb
            fresh.marks |= Mark.REFERENCE if arc.role is Role.SET_IT else Mark.NONE
            if arc.role is Role.REMOVE and arc.value:
                fresh.number = arc.value
            yield begun
        if verb in POSTPOSED and not chunk.is_empty and chunk.verb in {"", "add"} and hypothesis.joint == "":
            new, changed = self._stay(hypothesis, arc, at)
            changed.verb = verb
            self._note(new, ("verb_behind", verb))
            yield new
        if verb == "remove":
            new = self._on(hypothesis, arc)
            new.amount = "no"
            self._note(new, ("as_no",))
            yield new

    def _more(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        chunk = hypothesis.chunk
        if (chunk.items or chunk.number) and not chunk.marks & Mark.MORE and hypothesis.joint == "":
            new, more = self._stay(hypothesis, arc, at)
            more.marks |= Mark.MORE
            more.number = more.number or arc.value
            self._note(new, ("flag", "more", ""))
            yield new
        for begun, fresh in self._begin(hypothesis, arc, at, question):
            fresh.marks |= Mark.MORE
            fresh.number = arc.value
            yield begun
        if chunk.items or chunk.selections:
            new = self._on(hypothesis, arc)
            new.joint = "with"
            self._note(new, ("skip", "more"))
            yield new

    def _again(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        for begun, fresh in self._begin(hypothesis, arc, at, question):
            fresh.marks |= Mark.AGAIN
            yield begun

    def _correction(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        for begun, _ in self._begin(hypothesis, arc, at, question, "correction"):
            yield begun

    def _cancel(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        for begun, fresh in self._begin(hypothesis, arc, at, question):
            self._note(begun, ("cancel", fresh.link, fresh.verb))
            begun.draft, begun.focus, begun.fresh, begun.waiting, begun.change = (), (), (), (), None
            begun.n_edits += 1
            begun.chunk = Chunk()
            yield begun

    # --- References

    def _mark(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        mark, chunk = MARK_OF_ROLE[arc.role], hypothesis.chunk
        if mark is not Mark.REST or chunk.is_empty or chunk.verb not in {"", "add"}:
            new, marked = self._stay(hypothesis, arc, at)
            self._set_mark(marked, mark, arc)
            if chunk.is_empty:
                new.joint = ""
            self._note(new, ("flag", arc.role.name.lower(), hypothesis.joint))
            yield new
        if not chunk.is_empty and mark is not Mark.ONES:
            for begun, fresh in self._begin(hypothesis, arc, at, question):
                self._set_mark(fresh, mark, arc)
                yield begun
        if mark is Mark.REFERENCE:
            new = self._on(hypothesis, arc)
            self._note(new, ("skip", "reference"))
            yield new

    @staticmethod
    def _set_mark(chunk: Chunk, mark: Mark, arc: Arc) -> None:
        chunk.marks |= mark
        if mark is Mark.ALL:
            chunk.scope = arc.value

    def _ordinal(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        new, placed = self._stay(hypothesis, arc, at)
        placed.place = arc.value
        yield new
        if not hypothesis.chunk.is_empty:
            for begun, fresh in self._begin(hypothesis, arc, at, question):
                fresh.place = arc.value
                yield begun
        new = self._on(hypothesis, arc)
        self._note(new, ("skip", "ordinal"))
        yield new

    def _share(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        new, shared = self._stay(hypothesis, arc, at)
        shared.share = arc.value
        yield new
        if not hypothesis.chunk.is_empty:
            for begun, fresh in self._begin(hypothesis, arc, at, question):
                fresh.share = arc.value
                yield begun

    # --- Answers

    def _answer(self, hypothesis: Hypothesis, arc: Arc, at: int, question: Question | None) -> Iterator[Hypothesis]:
        """Yield the answers "yes", "no", "whatever", "the biggest" to the open question, and the words without an effect."""
        role, is_first = arc.role.name.lower(), at == 0
        for begun, _ in self._begin(hypothesis, arc, at, question):
            self._note(begun, ("say", role, question.kind if question else "", is_first))
            yield begun
            if question is None or begun.n_edits:
                continue
            for edit in self._reducer.accepted(begun, arc.role, question):
                chosen = self._reducer.applied(begun, edit)
                chosen.chunk = Chunk("answer")
                yield chosen
