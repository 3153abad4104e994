"""One turn of a conversation: an utterance and the state before it become the state after it and the shop's next sentence.

utterance ─▶ parse ─▶ answer to the asked question ─▶ uncertain edits suspended ─▶ settled lines ─▶ open questions ─▶ act, status, say
           (parser)   (answers)                       (suspending)                 (settling)       (questions)       (acts, policy, say)
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from schemas import Choice, Item, Line, LineRequest, Menu, Order
from voice.dialog import acts, questions
from voice.dialog.answers import Outcome, Resolution, resolve
from voice.dialog.inquiries import find_inquiry
from voice.dialog.languages import language_of
from voice.dialog.lines import draft_of, priced, request_of
from voice.dialog.policy import is_read_back, status_of, with_closing_question
from voice.dialog.say import ask, say
from voice.dialog.settling import Settled, Span, settle
from voice.dialog.state import Act, Note, Question, QuestionKind, State, Turn
from voice.dialog.suspending import confidences, suspend
from voice.dialog.unmatched import unmatched_words
from voice.dialog.wire import change_replies, note_replies, question_reply
from voice.orders import words
from voice.orders.engine import OrderEngine
from voice.orders.line_confidence import ASK_BELOW
from voice.orders.parser.arc import Arc
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parse, Parser
from voice.orders.parser.roles import Role
from voice.orders.parser.state import OpenQuestion
from voice.orders.pricing import Pricing
from voice.orders.words import Token

ALWAYS_ASK: Final = 2.0  # above any confidence
EMPTY: Final = State()


class DialogEngine:
    """Holds conversations about one menu; stateless, and safe to share between threads."""

    def __init__(self, menu: Menu, ask_below: float = ASK_BELOW, model: Model | None = None) -> None:
        """Compile the menu. An edit of a confidence below `ask_below` becomes a question; `model`: of the parser, None loads it."""
        self.menu = menu
        self.ask_below = ask_below
        self.vocabulary = _vocabulary(menu)
        self._parser = Parser(menu, model or Model.load())
        self._pricing = Pricing(menu)

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines priced from the menu, none merged.

        Raises:
            ItemNotFound, ValidationFailed: a line names an item, group or choice that the menu lacks.

        """
        return [priced(self._pricing, line) for line in draft_of(self.menu, lines)]

    @cached_property
    def _scorer(self) -> OrderEngine:
        return OrderEngine(self.menu)

    def score(self, utterance: str, state: State = EMPTY) -> float | None:
        """Return the cost of the utterance in a conversation, lower is better; None if it names no item."""
        return self._scorer.score(utterance, [request_of(line) for line in state.lines])

    def phrases(self, state: State = EMPTY) -> tuple[str, ...]:
        """Return the phrases to expect of an utterance, most distinctive first: the choices of the open questions, then all names."""
        asked = [name for question in state.questions for name in self._names(question)]
        return tuple(dict.fromkeys([*asked, *self.vocabulary])) if asked else self.vocabulary

    def _names(self, question: Question) -> Iterable[str]:
        """Yield the names and aliases of the choices of a question."""
        group = self.menu.option_groups.get(question.group) if question.group is not None else None
        for choice in question.choices:
            named = group.choices.get(choice) if group is not None else self.menu.items.get(choice)
            if named is not None:
                yield from (named.name, *named.aliases)

    def take_turn(
        self,
        utterance: str,
        state: State = EMPTY,
        *,
        reply_language: str | None = None,
        is_uncertain: bool = False,
    ) -> Order:
        """Return the state after an utterance and the next sentence; spans count code points of the utterance in NFC.

        `is_uncertain`: the utterance was recognised with low confidence, so that each edit is asked about.
        """
        utterance = words.nfc(utterance)
        tokens = words.tokenize(utterance)
        state = state._replace(questions=tuple(questions.valid(state.questions, self.menu, state.lines)))
        asked = state.questions[0] if state.questions else None
        parses = self._parse(utterance, state, asked)
        reading = _read(tokens, parses[0], asked)
        edited = self._edit(reading, parses, state, asked, ALWAYS_ASK if is_uncertain else self.ask_below)
        turn = self._turn(reading, edited, state, asked)
        turn = turn._replace(unmatched=unmatched_words(utterance, tokens, parses[0], turn))
        language = reply_language or language_of(tokens, self.menu)
        return self._reply(tokens, edited.settled, turn, language)

    def _parse(self, utterance: str, state: State, asked: Question | None) -> list[Parse]:
        focus = tuple([change.line for change in state.changes if change.op != "remove" and change.line < len(state.lines)])
        return self._parser.parse(utterance, [request_of(line) for line in state.lines], question=_for_parser(asked), focus=focus)

    def _edit(self, reading: "_Reading", parses: Sequence[Parse], state: State, asked: Question | None, ask_below: float) -> "_Edited":
        """Apply the edits of the best parse and of the answer, except uncertain ones."""
        parse, before = parses[0], state.lines
        draft = list(parse.draft)
        certainty = confidences(parses, before)
        resolution = None
        checks: list[Question] = []
        if not reading.is_cancelled:
            checks = suspend(draft, before, certainty, ask_below)
            if asked is not None:
                resolution = Resolution(
                    self.menu, self._parser.index, asked, before, draft, reading.says_yes, reading.says_no, reading.number
                )
                resolve(resolution)
        whole = 0, len(reading.tokens)
        spans: dict[int, Span] = dict.fromkeys(range(len(draft)), whole)
        spans.update(parse.touched())
        certain = {number: certainty.get(number, parse.probability) for number in range(len(draft))}
        settled = settle(tuple(draft), before, spans, certain, state.line_notes)
        return _Edited(
            settled,
            resolution,
            checks,
            [questions.unresolved_question(self.menu, one) for one in parse.unresolved],
            is_cancelled=reading.is_cancelled,
        )

    def _turn(self, reading: "_Reading", edited: "_Edited", state: State, asked: Question | None) -> Turn:
        settled, outcome = edited.settled, edited.outcome
        is_edited = bool(settled.changes or edited.checks or edited.unresolved or edited.has_follow_up)
        act = acts.act_of(
            acts.TurnFacts(
                reading.words_act,
                asked,
                outcome,
                reading.is_cancelled and not settled.lines,
                is_edited,
                settled.adds or any(check.pending is not None and check.pending.op == "add" for check in edited.checks),
                bool(settled.changes) and all(change.op == "remove" for change in settled.changes),
                has_note=False,
            )
        )
        notes = self._notes(edited, state)
        open_questions = self._questions(edited, state, asked)
        was_read_back = asked is not None and is_read_back(asked)
        is_confirmed = was_read_back and act is Act.CONFIRM and not settled.changes
        if was_read_back and act is Act.DENY:
            open_questions = [question for question in open_questions if not is_read_back(question)]
        open_questions = with_closing_question(open_questions, settled.lines, act, is_confirmed=is_confirmed)
        still_asked = asked is not None and outcome is Outcome.OPEN and not is_edited
        moved = questions.moved(asked, settled.places) if asked is not None else None
        open_questions = questions.counted(open_questions, moved, is_reset=not still_asked)
        status = status_of(act, open_questions, is_confirmed=is_confirmed, unanswered=moved if still_asked else None)
        line_notes = tuple([state.line_notes[line.origin] if 0 <= line.origin < len(state.line_notes) else None for line in settled.lines])
        after = State(settled.lines, tuple(open_questions), settled.changes, notes, state.at, line_notes if any(line_notes) else ())
        return Turn(state, after, act, status, find_inquiry(reading.tokens, reading.parse) if act is Act.QUESTION else None)

    def _questions(self, edited: "_Edited", state: State, asked: Question | None) -> list[Question]:
        """Return the questions that stay open and those that the turn raises."""
        settled = edited.settled
        kept = [question for question in state.questions if question is not asked or edited.outcome is Outcome.OPEN]
        if edited.unresolved and asked is not None and asked.line is None and asked.pending is not None:
            kept = [question for question in kept if question is not asked]
        if edited.is_cancelled:
            kept = []
        new = [*edited.checks, *edited.unresolved]
        if edited.resolution is not None and edited.resolution.follow_up is not None:
            new.append(edited.resolution.follow_up)
        found = []
        for question in [*kept, *new]:
            moved = questions.moved(question, settled.places)
            open_question = questions.still_open(moved, self.menu, settled.lines) if moved is not None else None
            if open_question is not None:
                found.append(open_question)
        return questions.in_order_of_asking([*found, *questions.raised(self.menu, settled.lines, found)])

    def _notes(self, edited: "_Edited", state: State) -> tuple[Note, ...]:
        """Return the notes after the turn; they follow their lines."""
        notes = []
        for note in state.notes:
            if note.line is None:
                notes.append(note)
            elif note.line in edited.settled.places and not edited.is_cancelled:
                notes.append(note._replace(line=edited.settled.places[note.line]))
            elif note.kind in {"allergy", "diet"} and not edited.is_cancelled:
                notes.append(note._replace(line=None))
        if edited.resolution is not None and edited.resolution.note is not None:
            notes.append(edited.resolution.note)
        return tuple(notes)

    def _reply(self, tokens: Sequence[Token], settled: Settled, turn: Turn, language: str) -> Order:
        after = turn.after
        lines = []
        for number, line in enumerate(after.lines):
            span = settled.spans[number] if number in settled.touched else None
            place = (tokens[span[0]].start, tokens[span[1] - 1].end) if span is not None and tokens else None
            confidence = settled.confidences[number] if number in settled.touched else None
            reply = priced(self._pricing, line, confidence=confidence, span=place)
            if after.line_notes and (note := after.line_notes[number]) is not None:
                reply["note"] = note
            lines.append(reply)
        return {
            "menu": self.menu.id,
            "lines": lines,
            "total": sum([line["total"] for line in lines]),
            "currency": self.menu.currency,
            "act": turn.act.value,
            "status": turn.status.value,
            "say": {"text": say(turn, self.menu, language), "language": language},
            "changes": change_replies(after.changes),
            "questions": [
                question_reply(question, ask(question, after, self.menu, language), self._pricing) for question in after.questions
            ],
            "unmatched": list(turn.unmatched),
            "notes": note_replies(after.notes),
        }


class _Reading(NamedTuple):
    """An utterance as the dialog reads it."""

    tokens: Sequence[Token]
    parse: Parse
    words_act: Act
    is_cancelled: bool
    says_yes: bool
    says_no: bool
    number: int


class _Edited(NamedTuple):
    """The order after the edits, and the questions that the edits raised; their lines are draft indices."""

    settled: Settled
    resolution: Resolution | None
    checks: Sequence[Question]
    unresolved: Sequence[Question]
    is_cancelled: bool

    @property
    def outcome(self) -> Outcome:
        return self.resolution.outcome if self.resolution is not None else Outcome.OPEN

    @property
    def has_follow_up(self) -> bool:
        return self.resolution is not None and self.resolution.follow_up is not None


def _read(tokens: Sequence[Token], parse: Parse, asked: Question | None) -> _Reading:
    said = acts.heard(tokens)
    inquiry = find_inquiry(tokens, parse)
    words_act = acts.act_of_words(said, asked, is_inquiry=inquiry is not None)
    is_plain = not parse.n_edits and not parse.unresolved
    leading = said.leading()
    number = next((arc.value for arc in parse.events if isinstance(arc, Arc) and arc.role is Role.NUMBER), 0)
    return _Reading(
        tokens,
        parse,
        words_act,
        any(not isinstance(event, Arc) and event[0] == "cancel" for event in parse.events),
        words_act is Act.CONFIRM if is_plain else leading == "yes",
        words_act in {Act.DENY, Act.DONE} if is_plain else leading == "no",
        number,
    )


def _for_parser(asked: Question | None) -> OpenQuestion | None:
    """Return the asked question as the parser accepts it."""
    if asked is None:
        return None
    if asked.kind is QuestionKind.CHECK:
        return OpenQuestion(asked.kind.value, asked.line)
    pending = asked.pending.line if asked.pending is not None else None
    line = None if pending is not None and asked.group is None else asked.line
    return OpenQuestion(asked.kind.value, line, asked.group, asked.choices, pending)


def _vocabulary(menu: Menu) -> tuple[str, ...]:
    """Return the menu's phrases for a recogniser, most distinctive first: names of items, names of choices, aliases."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    names: Iterable[str] = [one.name for one in named]
    return tuple(dict.fromkeys([*names, *[alias for one in named for alias in one.aliases]]))
