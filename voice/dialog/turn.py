"""One turn of a conversation: an utterance and the state before it become the state after it and the shop's next sentence.

    utterance ─▶ reading ─▶ suspending ─▶ answers ─▶ settling ─▶ notes ─▶ questions, policy ─▶ acts ─▶ wire, say ─▶ reply

Each step is the module of its name; docs/conversations.md describes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from schemas import Line, LineRequest, Order
from voice.dialog import acts, notes, questions
from voice.dialog.answers import Outcome, Resolution, resolve
from voice.dialog.availability import Availability
from voice.dialog.combos import Combos
from voice.dialog.evidence import denied_lines, talk_probabilities
from voice.dialog.explanation import explanation
from voice.dialog.languages import language_of, languages_of_names, spoken_languages
from voice.dialog.lines import draft_of, priced, with_note
from voice.dialog.phrases import localised_names_of, names_of
from voice.dialog.policy import closed, is_read_back, status_of
from voice.dialog.reading import Reading, UtteranceReader
from voice.dialog.settling import Settled, Span, settle
from voice.dialog.state import Act, Question, QuestionKind, State, Turn
from voice.dialog.suspending import (
    ASK_BELOW,
    certain_answers,
    confidences,
    suspend,
    suspend_ambiguous,
    suspend_part_numbers,
    suspend_part_portions,
    suspend_unavailable,
    undo_surplus,
)
from voice.dialog.unmatched import unmatched_words
from voice.dialog.wire import order_reply
from voice.menus.menu import Menu
from voice.menus.parts import Part
from voice.orders import words
from voice.orders.parser.acts import ActModel
from voice.orders.parser.model import Model
from voice.orders.parser.ranker import Ranker
from voice.orders.parser.roles import Role
from voice.orders.pricing import Pricing

ALWAYS_ASK: Final = 2.0  # above any confidence
DENIED: Final = 0.0  # confidence of a new line behind a negation
MAX_DECLINED: Final = 2  # offers of a conversation
EMPTY: Final = State()

Suggest = Callable[
    [Sequence[tuple[str, int]], Sequence[str]], str | None
]  # an item for a basket of items and quantities, none of the excluded


class DialogEngine:
    """Holds conversations about one menu; it keeps nothing of them, and is safe to share between threads."""

    def __init__(self, menu: Menu, ask_below: float = ASK_BELOW, model: Model | None = None) -> None:
        """Compile the menu. An edit of a confidence below `ask_below` becomes a question; `model`: of the parser, None loads it."""
        self.menu = menu
        self.ask_below = ask_below
        self.vocabulary = tuple(dict.fromkeys(names_of(menu)))
        self._languages = spoken_languages(menu)
        self._languages_of_names = languages_of_names(localised_names_of(menu), self._languages)
        self._model = model or Model.load()
        self._reader = UtteranceReader(menu, self._model, ActModel.load(), Ranker.load())
        self._availability = Availability(menu)
        self._pricing = Pricing(menu)
        self._combos = Combos(menu, self._pricing)
        self._pricings = {language: Pricing(menu, language) for language in self._languages}

    def set_availability(self, changes: Mapping[Part, bool]) -> None:
        """Change what is available, for all who share the engine; the next turn knows it.

        Replaces parts of `menu` in place, which must not be shared with other engines (`with_own_parts`): the indices of names stay as they
        are. `menu` becomes another object, so that what was derived from it is derived anew.
        """
        for part, is_available in changes.items():
            part.set_available(self.menu, is_available=is_available)
        self.menu = self.menu.model_copy()
        self._availability = Availability(self.menu)

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines priced from the menu, none merged.

        Raises:
            ItemNotFound, ValidationFailed: a line names an item, group or choice that the menu lacks.

        """
        return [with_note(priced(self._pricing, line), asked.note) for line, asked in zip(draft_of(self.menu, lines), lines, strict=True)]

    def score(self, utterance: str, state: State = EMPTY) -> float | None:
        """Return the cost of the utterance as an order or as an answer (`UtteranceReader.cost`); None if it is neither."""
        return self._reader.cost(utterance, self._valid(state))

    def _valid(self, state: State) -> State:
        """Return the state without the questions that do not fit the menu or the lines."""
        valid = questions.valid(state.questions, self.menu, state.lines)
        if any(question.replaces_lines for question in valid):
            valid = self._combos.valid(valid, state.lines, self._availability.at(state.at))
        return state._replace(questions=tuple(valid))

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

    def take_turn(  # noqa: PLR0913 - options of a turn, by keyword
        self,
        utterance: str,
        state: State = EMPTY,
        *,
        reply_language: str | None = None,
        is_spoken: bool = False,
        is_uncertain: bool = False,
        suggest: Suggest | None = None,
        explain: bool = False,
    ) -> Order:
        """Return the state after an utterance and the next sentence; spans count code points of the utterance in NFC.

        `is_spoken`: the utterance was recognised, and may be talk that is not meant for the shop, which lowers the confidence of new lines.
        `is_uncertain`: it was recognised with low confidence, so that each edit is asked about. `suggest`: for an offer when nothing is
        asked. `explain`: the reply tells how the utterance was read.
        """
        utterance = words.nfc(utterance)
        state = self._valid(state)
        reading = self._reader.read(utterance, state)
        talk = talk_probabilities(reading.parse, reading.tokens) if is_spoken else {}
        edited = self._edit(reading, state, talk, ALWAYS_ASK if is_uncertain else self.ask_below)
        turn = self._turn(reading, edited, state, suggest)
        language = reply_language if reply_language in self._languages else None
        if language is None:
            language = self._languages[0] if reply_language else language_of(reading.all_tokens, self._languages, self._languages_of_names)
        reply = order_reply(turn, edited.settled, self.menu, self._pricings[language], language)
        if explain:
            reply["explain"] = explanation(reading, turn.act, self._reader.act_costs(reading), self._reader.menu, self._model)
        return reply

    def prompt(self, state: State = EMPTY, reply_language: str | None = None) -> Order:
        """Return the state as it is, and the sentence that asks its first question again; without lines and questions, the greeting."""
        language = reply_language if reply_language in self._languages else self._languages[0]
        act = Act.REPEAT if state.lines or state.questions else Act.SMALLTALK
        after = state._replace(changes=())
        turn = Turn(state, after, act, status_of(act, state.questions, is_confirmed=False, unanswered=None))
        unchanged = settle(state.lines, state.lines, {}, {}, state.line_notes)
        return order_reply(turn, unchanged, self.menu, self._pricings[language], language)

    def _edit(self, reading: Reading, state: State, talk: Mapping[int, float], ask_below: float) -> "_Edited":
        """Apply the edits of the best parse and of the answer, except uncertain ones.

        `talk`: the probability that the utterance orders nothing, by new line.
        """
        parse, before, tokens = reading.parse, state.lines, reading.tokens
        absent = self._availability.at(state.at)
        draft = [line._replace(quantity=0) for line in parse.draft] if reading.words_act is Act.CANCEL else list(parse.draft)
        touched = {number: (tokens[start].start, tokens[end - 1].end) for number, (start, end) in parse.touched().items()}
        certainty = {
            number: probability * (1 - talk.get(number, 0.0)) for number, probability in confidences(reading.parses, before).items()
        }
        is_answer = reading.asked is not None
        certainty.update(dict.fromkeys(certainty.keys() & set(denied_lines(parse, tokens, is_answer=is_answer)), DENIED))
        doubted = certain_answers(self.menu, certainty, draft, before, _asked_first(reading.asked, state.questions))
        resolution = None
        raised: list[Question] = []
        if not reading.is_cancelled:
            raised = [
                *suspend_part_numbers(draft, before, reading.part_units, touched, _line_in_focus(state)),
                *suspend_part_portions(draft, before, reading.part_portions, touched),
                *suspend_unavailable(self.menu, absent, draft, before),
                *(
                    []
                    if reading.asked and reading.asked.choices
                    else suspend_ambiguous(self.menu, draft, reading.parses, tokens, self._reader.combos.parts)
                ),
                *suspend(self.menu, draft, before, doubted, ask_below),
                *[questions.unresolved_question(self.menu, absent, one) for one in parse.unresolved if one.line.items],
                *questions.nameless(reading.number if reading.requests_nameless else 0),
            ]
            if reading.asked is not None:
                resolution = Resolution(
                    self.menu,
                    self._reader.index,
                    reading.asked,
                    before,
                    draft,
                    reading.says_yes,
                    reading.says_no,
                    reading.number,
                    reading.has_role(Role.ITEM, Role.ORDINAL),
                )
                resolve(resolution)
                raised += [resolution.follow_up] if resolution.follow_up is not None else []
        is_undone = undo_surplus(draft, before)
        whole = (tokens[0].start, tokens[-1].end) if tokens else (0, 0)
        places: dict[int, Span] = {**dict.fromkeys(range(len(draft)), whole), **touched}
        certain = {number: certainty.get(number, parse.probability) for number in range(len(draft))}
        settled = settle(tuple(draft), before, places, certain, state.line_notes)
        answers_another = resolution is not None and any(resolution.is_answered(other) for other in state.questions)
        return _Edited(settled, resolution, raised, reading.is_cancelled, reading.has_event("increment"), answers_another, is_undone)

    def _turn(self, reading: Reading, edited: "_Edited", state: State, suggest: Suggest | None) -> Turn:
        """Return the turn: its act, the state after it and the status."""
        settled, asked = edited.settled, reading.asked
        act = acts.act_of(reading.words_act, asked, edited.outcome, edited.facts(has_note=bool(reading.notes)))
        kept_notes = notes.kept(state.notes, settled.places, is_cancelled=edited.is_cancelled)
        new_notes = notes.placed(reading.notes, settled)
        if edited.resolution is not None and edited.resolution.note is not None:
            new_notes.append(edited.resolution.note)
        checks = notes.diet_checks(self.menu, self._pricing, settled, kept_notes, new_notes)
        all_notes = notes.merged(kept_notes, new_notes)

        after = State(settled.lines, (), settled.changes, all_notes, state.at, _line_notes(state, settled))
        open_questions = self._questions(edited, state, asked, checks)
        was_read_back = asked is not None and is_read_back(asked)
        is_confirmed = was_read_back and act is Act.CONFIRM and not settled.changes
        if edited.is_edit:  # what was offered instead of the lines is offered anew
            open_questions = [question for question in open_questions if not question.replaces_lines]
        if settled.lines and _may_offer(open_questions, act, is_edit=edited.is_edit):
            open_questions = self._offers(suggest, after, edited.enough) or open_questions
        if was_read_back and act is Act.DENY:
            open_questions = [question for question in open_questions if not is_read_back(question)]
        open_questions = closed(open_questions, settled.lines, act, is_confirmed=is_confirmed)
        moved = questions.moved(asked, settled.places) if asked is not None else None
        unanswered = moved if edited.outcome is Outcome.OPEN and not edited.is_edit else None
        if any(not words.is_punctuation(token.surface) for token in reading.all_tokens):
            open_questions = questions.counted(open_questions, unanswered)
        else:  # nothing was said: no turn in which a question was left unanswered
            open_questions, unanswered = questions.uncounted(open_questions, state.questions), None
        status = status_of(act, open_questions, is_confirmed=is_confirmed, unanswered=unanswered)

        turn = Turn(state, after._replace(questions=tuple(open_questions)), act, status, reading.inquiry if act is Act.QUESTION else None)
        noted = [(note.start, note.end) for note in reading.notes]
        if edited.is_undone:
            return turn._replace(unmatched=(reading.utterance.strip(),))
        return turn._replace(unmatched=unmatched_words(reading.utterance, reading.tokens, reading.parse, act, noted))

    def _offers(self, suggest: Suggest | None, after: State, enough: frozenset[str]) -> list[Question]:
        """Return the offer of a cheaper combo, else of a suggested item that is not ordered; none after `MAX_DECLINED` declined ones.

        `enough`: items that are not offered this time.
        """
        declined = [note.value for note in after.notes if note.kind == "offer" and note.value is not None]
        if len(declined) >= MAX_DECLINED:
            return []
        noted = {note.line for note in after.notes if note.line is not None} | {at for at, note in enumerate(after.line_notes) if note}
        combo = self._combos.offer(after.lines, self._availability.at(after.at), enough.union(declined), noted)
        if combo is not None:
            return [combo]
        if suggest is None:
            return []
        ordered = [(line.items[0], line.quantity) for line in after.lines]
        item = suggest(ordered, [*declined, *[ordered_item for ordered_item, _ in ordered]])
        return [Question(QuestionKind.OFFER, choices=(item,))] if item is not None else []

    def _questions(self, edited: "_Edited", state: State, asked: Question | None, checks: Sequence[Question]) -> list[Question]:
        """Return the questions that stay open and those that the turn raises, in the order of asking."""
        settled = edited.settled
        kept = [] if edited.is_cancelled else [one for one in state.questions if one is not asked or edited.outcome is Outcome.OPEN]
        if (
            asked is not None
            and asked.group is None
            and any(one.group is None and one.kind is not QuestionKind.CHECK for one in edited.raised)
        ):
            kept = [one for one in kept if one is not asked or one.kind not in {QuestionKind.AMBIGUOUS, QuestionKind.UNAVAILABLE}]
        found = []
        for question in [*kept, *edited.raised]:
            moved = questions.moved(question, settled.places)
            still_open = questions.still_open(moved, self.menu, settled.lines) if moved is not None else None
            if still_open is not None:
                found.append(still_open)
        found += checks
        raised = questions.raised(self.menu, self._availability.at(state.at), settled.lines, found)
        return questions.in_order_of_asking(questions.merged([*found, *raised]))


class _Edited(NamedTuple):
    """The order after the edits, and the questions that the edits raised; their lines are draft indices."""

    settled: Settled
    resolution: Resolution | None
    raised: Sequence[Question]
    is_cancelled: bool
    counts_up: bool  # a line got more units
    answers_another: bool  # an open question that was not asked now
    is_undone: bool  # all edits, as they made the order too long

    @property
    def outcome(self) -> Outcome:
        """What the turn did to the question that was asked."""
        return self.resolution.outcome if self.resolution is not None else Outcome.OPEN

    @property
    def is_edit(self) -> bool:
        """True if the order changed, or an edit raised a question."""
        return bool(self.settled.changes or self.raised)

    @property
    def enough(self) -> frozenset[str]:
        """The combo of which the customer accepted fewer than were offered."""
        asked = self.resolution.question if self.resolution is not None else None
        if asked is None or not asked.replaces_lines or asked.pending is None or self.outcome is Outcome.OPEN:
            return frozenset()
        accepted = sum([change.quantity for change in self.settled.changes if change.op == "add" and change.item in asked.choices])
        return frozenset(asked.choices) if accepted < asked.pending.line.quantity else frozenset()

    def facts(self, *, has_note: bool) -> acts.EditFacts:
        """Return what the act of the turn depends on."""
        changes = self.settled.changes
        return acts.EditFacts(
            self.is_cancelled and not self.settled.lines,
            self.is_edit,
            self.settled.adds
            or self.counts_up
            or any(question.pending is not None and question.pending.op == "add" for question in self.raised),
            bool(changes) and all(change.op == "remove" for change in changes),
            has_note,
            self.answers_another,
        )


def _line_notes(state: State, settled: Settled) -> tuple[str | None, ...]:
    if not state.line_notes:
        return ()
    return tuple([state.line_notes[line.origin] if line.origin >= 0 else None for line in settled.lines])


def _asked_first(asked: Question | None, questions: Sequence[Question]) -> list[Question]:
    """Return the question that the utterance answers, and the others that are open."""
    return [] if asked is None else [asked, *[question for question in questions if question is not asked]]


def _line_in_focus(state: State) -> int | None:
    """Return the line that the turn before changed last, or the last line."""
    changed = [change.line for change in state.changes if change.op != "remove" and change.line < len(state.lines)]
    return changed[-1] if changed else len(state.lines) - 1 if state.lines else None


def _may_offer(open_questions: Sequence[Question], act: Act, *, is_edit: bool) -> bool:
    """Return whether nothing else is asked; the customer who was asked for more has ordered it."""
    if act in {Act.DONE, Act.DENY, Act.CANCEL, Act.HUMAN}:
        return False
    return not open_questions or (is_edit and all(question.kind is QuestionKind.MORE for question in open_questions))
