"""Read an utterance: its notes, its parses in the state of the conversation, and the act that its words tell."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from voice.dialog.acts import Heard, act_of_words, heard
from voice.dialog.asking_patterns import PhraseTable
from voice.dialog.flat_menu import FlatMenu
from voice.dialog.inquiries import InquiryFinder, is_spelt_name
from voice.dialog.languages import are_adjectives_first, language_of, spoken_languages
from voice.dialog.meant_combos import REPLACING, MeantCombos
from voice.dialog.nesting import SpokenChoice
from voice.dialog.notes import FoundNote, Mentioned, NoteFinder, is_addressing, mentioned
from voice.dialog.part_numbers import PartNumberFinder
from voice.dialog.phrases import is_pronoun
from voice.dialog.policy import is_read_back
from voice.dialog.ranking import (
    AskedChoice,
    addressing_first,
    answers_alone_first,
    cancels_a_name,
    certain_first,
    closing_first,
    deciding_first,
    in_light_of,
    is_cancelling,
    naming_first,
    on_asked_lines_first,
    remark_first,
    repeating_first,
)
from voice.dialog.state import Act, Inquiry, Question, QuestionKind, State
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.parser.acts import ActModel
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import NEW, ChoiceRef, Draft, DraftLine, MenuIndex
from voice.orders.parser.model import Model
from voice.orders.parser.parser import MIN_PROBABILITY, Analysis, Parse, Parser
from voice.orders.parser.person_arcs import Mention
from voice.orders.parser.ranker import Ranker
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.state import OpenQuestion
from voice.orders.words import Token

MAX_PARSED_QUESTIONS: Final = 3  # open questions in whose light an utterance is parsed
# Added to the cost of an utterance: a recogniser omits the number before an item more often than it inserts a word there. Of 55 spoken
# Vietnamese orders, clean and in noise, 51 are right with it, and 44 without it, which is as many as without rescoring.
ITEM_WITHOUT_NUMBER: Final = 0.6


# Roles of the words of a request for a number of units without an item; one of `COUNTED` tells that it is one.
COUNTED: Final = frozenset({Role.REQUEST, Role.CLASSIFIER})
NAMELESS: Final = COUNTED | {Role.NUMBER, Role.FILLER, Role.COMMA, Role.STOP}


class Reading(NamedTuple):
    """An utterance as the dialog reads it."""

    utterance: str  # with spaces in place of allergies, diets, and numbers that are no number of units
    tokens: Sequence[Token]
    all_tokens: Sequence[Token]  # of the whole utterance
    parses: Sequence[Parse]  # cheapest first
    asked: Question | None  # the question that the utterance is read to answer
    said: Heard
    words_act: Act
    inquiry: Inquiry | None
    notes: Sequence[FoundNote]
    part_numbers: Sequence[tuple[int, int]]  # numbers that are no number of units, in code points
    number: int  # the first number of units that was said; 0: none

    @property
    def parse(self) -> Parse:
        """The best parse."""
        return self.parses[0]

    @property
    def is_cancelled(self) -> bool:
        """True if the customer cancels the whole order."""
        return self.has_event("cancel") or self.words_act is Act.CANCEL

    def has_event(self, name: str) -> bool:
        """Return whether the best parse has an event of this name."""
        return self.parse.has_event(name)

    def has_role(self, *roles: Role) -> bool:
        """Return whether words were read in one of these roles."""
        return any(arc.role in roles for arc in self.parse.arcs())

    @property
    def is_plain(self) -> bool:
        """True if the parser read no edit."""
        return not self.parse.n_edits and not self.parse.unresolved

    @property
    def part_portions(self) -> list[tuple[int, int]]:
        """The numbers that are no number of portions of the option right behind them."""
        options = {self.tokens[at].start for at, arc in self.parse.placed(self.tokens) if arc.role is Role.OPTION}
        return [(start, end) for start, end in self.part_numbers if not options.isdisjoint(range(end, end + 2))]

    @property
    def part_units(self) -> list[tuple[int, int]]:
        """The other numbers that are no number of units."""
        portions = self.part_portions
        return [place for place in self.part_numbers if place not in portions]

    @property
    def requests_nameless(self) -> bool:
        """True if the words only ask for a number of units, and no open question is about units."""
        if not self.is_plain or self.words_act is not Act.NONE or not (self.asked is None or self.asked.kind is QuestionKind.MORE):
            return False
        roles = {arc.role for arc in self.parse.arcs() if arc.length}
        return roles <= NAMELESS and Role.NUMBER in roles and not roles.isdisjoint(COUNTED)

    @property
    def says_yes(self) -> bool:
        """True if the utterance is a yes to the asked question, with or without more."""
        return self.words_act is Act.CONFIRM if self.is_plain else self.said.leading() == "yes"

    @property
    def says_no(self) -> bool:
        """True if the utterance is a no to the asked question, with or without more."""
        if not self.is_plain:
            return self.said.leading() == "no"
        is_offered = self.asked is not None and self.asked.kind is QuestionKind.OFFER
        return self.words_act is Act.DENY or (self.words_act is Act.DONE and is_offered)


class UtteranceReader:
    """Reads utterances about one menu."""

    def __init__(self, menu: Menu, model: Model, act_model: ActModel, ranker: Ranker) -> None:
        """Compile the menu."""
        self.menu = FlatMenu(menu)
        self._parser = Parser(self.menu.flat, model, act_model, ranker)
        self.combos = MeantCombos(self.menu)
        self._languages = spoken_languages(menu)
        self._notes = NoteFinder(menu)
        self._inquiries = InquiryFinder(self.menu.flat)
        self._part_numbers = PartNumberFinder(menu)
        self.index = MenuIndex(menu) if self.menu.is_nested else self._parser.index

    def read(self, utterance: str, state: State) -> Reading:
        """Read an utterance; the questions of the state are valid."""
        tokens = self._parser.tokens(utterance)
        notes = self._notes.find(utterance, tokens)
        if any(note.is_attribute and note.note.kind == "diet" for note in notes) and self._inquiries.asks(tokens):
            notes = [note for note in notes if note.note.kind != "diet"]
        persons = mentioned(state.notes, tokens, len(state.lines))
        if persons and notes and {(note.note.kind, note.note.text) for note in notes} <= {(note.kind, note.text) for note in state.notes}:
            reading = self._read(utterance, tokens, state, [], persons)
            if reading.parse.n_edits and not any(line.is_new and line.beside == NEW and line.quantity for line in reading.parse.draft):
                return reading  # about the lines of these persons, none of which is new
        return self._read(utterance, tokens, state, notes, [] if notes else persons)

    def _read(
        self, utterance: str, tokens: Sequence[Token], state: State, notes: Sequence[FoundNote], persons: Sequence[Mentioned]
    ) -> Reading:
        """Read an utterance with some notes; `persons`: those who are mentioned."""
        all_tokens, part_numbers = tokens, self._part_numbers.find(tokens)
        unparsed = [*part_numbers, *[(note.start, note.end) for note in notes if note.is_statement]]
        if unparsed:
            utterance = blanked(utterance, unparsed)
            for start, _ in part_numbers:
                utterance = f"{utterance[:start]}1{utterance[start + 1 :]}"  # a number where the parser expects one
            tokens = self._parser.tokens(utterance)
        said = heard(tokens, [(note.start, note.end) for note in notes])
        if wish := [(tokens[one.start].start, tokens[one.end - 1].end) for one in said.phrases if one.function == "human"]:
            utterance = blanked(utterance, wish)
            tokens = self._parser.tokens(utterance)
        analysis = self._parser.analyse(utterance, tokens, _tokens_of(persons, tokens))
        is_offered = any(question.replaces_lines for question in state.questions)  # a combo: its name accepts it
        lattice, upgrades = self.combos.lattice(analysis.lattice, tokens, () if is_offered else state.lines)
        analysis = analysis._replace(lattice=lattice)
        first = state.questions[0] if state.questions else None
        act_costs = self._parser.act_costs(analysis, _kind(first))
        asked, parses = self._parse(analysis, act_costs, state, said, persons)
        parses = [self.combos.upgraded(parse, tokens, upgrades) for parse in self.combos.without_losses(parses, state.lines)]
        if self.menu.is_nested:
            named = [parse for parse in parses if not self._implies_nested(parse)]
            parses = certain_first([self._nested(parse, state.lines, tokens) for parse in named or parses])
        keeps_some = cancels_a_name(parses[0], tokens)
        if keeps_some:
            parses = sorted(parses, key=is_cancelling)
        inquiry = None
        words_act = Act.HUMAN if parses[0].n_edits and said.has("human") else Act.NONE
        if not parses[0].n_edits:
            if asked is not first:
                act_costs = self._parser.act_costs(analysis, _kind(asked))
            inquiry = self._inquiry(tokens, analysis, state)
            words_act = act_of_words(said, asked, act_costs, is_inquiry=inquiry is not None)
            if (words_act is Act.CONFIRM and _names_more(parses[0], analysis, said)) or (words_act is Act.CANCEL and keeps_some):
                words_act = Act.NONE  # "oat then" is no yes to the latte with milk
        number = _number(parses[0], tokens)
        if not number and asked is not None and asked.kind is QuestionKind.MISSING and asked.group is None:
            number = self._part_numbers.first_number(tokens)
        return Reading(utterance, tokens, all_tokens, parses, asked, said, words_act, inquiry, notes, part_numbers, number)

    def _inquiry(self, tokens: Sequence[Token], analysis: Analysis, state: State) -> Inquiry | None:
        flat_state = state._replace(lines=tuple([self.menu.flattened(line) for line in state.lines]))
        inquiry = self._inquiries.find(tokens, analysis.lattice, flat_state)
        if inquiry is None or not self.menu.is_nested:
            return inquiry
        choices = dict.fromkeys([ChoiceRef(self.menu.group_of(group), choice) for group, choice in inquiry.choices])
        return inquiry._replace(choices=tuple(choices), groups=tuple(dict.fromkeys(map(self.menu.group_of, inquiry.groups))))

    def cost(self, utterance: str, state: State) -> float | None:
        """Return the cost of an utterance as an order or as an answer to the first question; None if it edits nothing.

        That is its unread words, less the log probability of its parse, plus `ITEM_WITHOUT_NUMBER` for each item without a number.
        """
        before = [self.menu.flattened(line) for line in state.lines]
        parse = self._parser.parse(utterance, before, question=self._for_parser(state.questions[0] if state.questions else None))[0]
        if not parse.n_edits:
            return None
        n_without: int = sum(not isinstance(event, Arc) and event[0] == "add" and event[3] == "none" for event in parse.events)
        log_probability = math.log(max(parse.probability, MIN_PROBABILITY))
        return len(parse.unread) - log_probability + ITEM_WITHOUT_NUMBER * n_without

    def act_costs(self, reading: Reading) -> Mapping[str, float]:
        """Return -log P of each act of the parser, of an utterance that was read."""
        return self._parser.act_costs(self._parser.analyse(reading.utterance), _kind(reading.asked))

    def _parse(
        self, analysis: Analysis, act_costs: Mapping[str, float], state: State, said: Heard, persons: Sequence[Mentioned]
    ) -> tuple[Question | None, list[Parse]]:
        """Return the parses in the light of the first question, or of a later one that the utterance answers instead.

        `act_costs`: in the light of the first question; `persons`: those whom the utterance mentions.
        """
        focus = tuple(dict.fromkeys([line for person in persons for line in person.lines]))
        focus = focus or tuple([change.line for change in state.changes if change.op != "remove" and change.line < len(state.lines)])
        before = tuple([self.menu.flattened(line) for line in state.lines])
        first = state.questions[0] if state.questions else None
        parses = self._parser.parse(analysis, before, question=self._for_parser(first), focus=focus, act_costs=act_costs)
        if first is not None and first.group is None:
            parses = in_light_of(first, said, parses)
        if first is not None and first.group is not None:
            parses = on_asked_lines_first(first, self.menu.flat_group(first.path, first.group), parses, before)
            parses = deciding_first(first, self.menu.flat_group(first.path, first.group), parses)
            if said.only("done"):
                parses = closing_first(parses)
            elif not said.leading():
                parses = answers_alone_first(parses, before, {*self._asked_choices(state.questions)})
        if first is None or first.kind is QuestionKind.MORE or is_read_back(first):
            parses = _about_the_order(parses, analysis.tokens, said, has_lines=bool(before), has_persons=bool(persons))
        if first is None or said.leading() or not _has_words_left(parses[0]) or self._names_group(first, analysis):
            return first, parses
        for other in state.questions[1:MAX_PARSED_QUESTIONS]:
            if not other.choices:
                continue
            again = self._parser.parse(analysis, before, question=self._for_parser(other), focus=focus)
            if again[0].n_edits and not _has_words_left(again[0]):
                return other, again
        return first, parses

    def _names_group(self, asked: Question, analysis: Analysis) -> bool:
        """Return whether the words name the group that was asked about: "the larger size"."""
        group = self.menu.flat_group(asked.path, asked.group) if asked.group is not None else ""
        return any(arc.role is Role.GROUP and group in arc.value for row in analysis.lattice for arc in row)

    def _asked_choices(self, questions: Iterable[Question]) -> Iterator[AskedChoice]:
        """Yield the choices of the open questions about groups, by line and group of the flat menu."""
        for question in questions:
            if question.group is not None:
                group = self.menu.flat_group(question.path, question.group)
                for line in question.lines or (question.line,):
                    yield from [(line, group, choice) for choice in question.choices]

    def _for_parser(self, asked: Question | None) -> OpenQuestion | None:
        """Return a question as the parser accepts it: the dialog itself answers a `check`, and replaces items."""
        if asked is None:
            return None
        if asked.kind is QuestionKind.CHECK:
            return OpenQuestion(asked.kind.value, asked.line)
        pending = self.menu.flattened(asked.pending.line) if asked.pending is not None else None
        line = None if pending is not None and asked.group is None else asked.line
        group = self.menu.flat_group(asked.path, asked.group) if asked.group is not None else None
        return OpenQuestion(asked.kind.value, line, group, asked.choices, pending)

    def _implies_nested(self, parse: Parse) -> bool:
        """Return whether nested options alone made a line, of an item that was not named."""
        if not any(not isinstance(event, Arc) and event[0] == "add_implied" for event in parse.events):
            return False
        return any(line.is_new and self.menu.has_nested_options_alone(line) for line in parse.draft)

    def _nested(self, parse: Parse, before: Draft, tokens: Sequence[Token]) -> Parse:
        """Return a parse of the flat menu with the options of its lines below their choices."""
        is_front = are_adjectives_first(language_of(tokens, self._languages))
        spoken = _spoken_choices(parse, tokens, self.menu.named_groups, adjectives_first=is_front)
        flat_before = [self.menu.flattened(line) for line in before]
        n_changed = sum(
            line.origin < 0 or line != flat_before[line.origin]._replace(origin=line.origin) for line in parse.draft if line.quantity
        )
        has_all = n_changed == 1 and REPLACING.isdisjoint([arc.role for arc in parse.arcs()])
        draft: list[DraftLine] = []
        for line in parse.draft:
            origin = line.origin if line.origin >= 0 else draft[line.beside].origin if 0 <= line.beside < len(draft) else NEW
            nested = self.menu.nested(line, before[origin] if origin >= 0 else None, spoken, has_all=has_all)
            draft.append(self.menu.with_offered_options(nested))
        unresolved = tuple([one._replace(line=self.menu.nested(one.line, None, spoken)) for one in parse.unresolved])
        return parse.with_draft(tuple(draft), unresolved)


def _tokens_of(persons: Iterable[Mentioned], tokens: Sequence[Token]) -> list[Mention]:
    """Return the mentions of persons by their tokens; without those that were blanked."""
    found = []
    for lines, start, end in persons:
        covered = [number for number, token in enumerate(tokens) if start <= token.start and token.end <= end]
        if covered:
            found.append(Mention(covered[0], covered[-1] + 1, lines))
    return found


def _spoken_choices(parse: Parse, tokens: Sequence[Token], named_groups: PhraseTable[str], *, adjectives_first: bool) -> list[SpokenChoice]:
    """Return the choices that the words of a parse name, each with the names to which an adjective may belong."""
    begins = {at: arc for at, arc in parse.placed(tokens) if arc.role in NAMING}
    ends = {at + arc.length: arc for at, arc in begins.items()}
    named = {at for start, arc in begins.items() for at in range(start, start + arc.length)}
    groups = [one for one in named_groups.find([token.surface for token in tokens]) if named.isdisjoint(range(one.start, one.end))]
    ands = {at for at, arc in parse.placed(tokens) if arc.role is Role.AND}
    found: list[SpokenChoice] = []
    before: list[AbstractSet[ChoiceRef]] = []
    for at, arc in sorted(begins.items()):
        if arc.role is not Role.OPTION:
            before = []
            continue
        end = at + arc.length
        neighbours = [begins.get(end), ends.get(at)]
        nearest = next((other for other in (neighbours if adjectives_first else neighbours[::-1]) if other is not None), None)
        beside = frozenset(nearest.value) if nearest is not None and nearest.role is Role.OPTION else frozenset()
        said = frozenset([words.fold(token.surface) for token in tokens[at:end]])
        near = [one for one in groups if not _is_apart(tokens, {*named, *ands}, (at, end), (one.start, one.end))]
        near.sort(key=lambda one: max(one.start - end, at - one.end))
        found.append(SpokenChoice(frozenset(arc.value), beside, tuple(before), said, tuple([one.value for one in near])))
        before.insert(0, found[-1].refs)
    return found


def _is_apart(tokens: Sequence[Token], barred: AbstractSet[int], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether a name, an "and" or punctuation is between two places."""
    first, second = sorted((one, other))
    return any(at in barred or words.is_punctuation(tokens[at].surface) for at in range(first[1], second[0]))


def _names_more(parse: Parse, analysis: Analysis, said: Heard) -> bool:
    """Return whether an utterance without a yes names something of the menu that was not read."""
    return not said.has("yes") and any(is_spelt_name(arc) for at in parse.unread for arc in analysis.lattice[at])


def _number(parse: Parse, tokens: Sequence[Token]) -> int:
    """Return the first number of a parse; 0: none. "One" behind a name is a pronoun."""
    before: Arc | None = None
    for at, arc in parse.placed(tokens):
        if arc.role is Role.NUMBER and not (before is not None and before.role in NAMING and is_pronoun(tokens[at])):
            return int(arc.value)
        before = arc
    return 0


def _kind(asked: Question | None) -> str:
    """Return the kind of a question; "" if there is none."""
    return asked.kind.value if asked is not None else ""


def _about_the_order(parses: list[Parse], tokens: Sequence[Token], said: Heard, *, has_lines: bool, has_persons: bool) -> list[Parse]:
    """Return the parses of words about the whole order in a likelier sequence."""
    if not has_persons and has_lines and said.phrases:
        parses = remark_first(parses)
    elif not has_persons and not parses[0].n_edits and not said.phrases:
        parses = repeating_first(parses) if has_lines else parses
        parses = parses if is_addressing(tokens) else naming_first(parses)
    return addressing_first(parses) if is_addressing(tokens) else parses


def _has_words_left(parse: Parse) -> bool:
    """Return whether the parser used no words, or not all."""
    return not parse.n_edits or bool(parse.unread)


def blanked(utterance: str, places: Iterable[tuple[int, int]]) -> str:
    """Return an utterance with spaces in some places, so that all other places stay the same."""
    for start, end in places:
        utterance = utterance[:start] + " " * (end - start) + utterance[end:]
    return utterance
