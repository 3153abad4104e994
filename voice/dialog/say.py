"""The shop's next sentence: what changed or what the customer asked, and then the first open question."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from voice.dialog.menu_answers import answer_in
from voice.dialog.question_text import MAX_WORDS, is_read_back, question_in
from voice.dialog.state import Act, Change, Inquiry, InquiryKind, Note, QuestionKind, Status, Turn
from voice.dialog.wording import Wording, n_words
from voice.menus.menu import Menu
from voice.orders.parser.draft import DraftLine
from voice.orders.pricing import Pricing

ENDS: Final = frozenset({Status.HANDOFF, Status.CANCELLED, Status.CONFIRMED})
MAX_ANSWER_WORDS: Final = 40  # of an answer with the open question behind it
MAX_MISSED: Final = 3  # words that are admitted to be missed; more are talk
# Acts whose change is the shop's own question answered: it is stated as what was ordered, not as a correction.
ANSWERS: Final = frozenset({Act.ANSWER, Act.CONFIRM, Act.ORDER})


def say(turn: Turn, menu: Menu, pricing: Pricing, language: str) -> str:
    """Return the shop's next sentence, words and punctuation alone, of about `MAX_WORDS` words except for a read-back."""
    return _Reply(turn, Wording(menu, pricing, language)).text()


class _Reply:
    """The reply to one turn."""

    def __init__(self, turn: Turn, wording: Wording) -> None:
        self._turn = turn
        self._wording = wording
        self._question = next(iter(turn.after.questions), None)

    def text(self) -> str:
        """Return the reply."""
        return self._polite_once(self._sentences())

    def _polite_once(self, text: str) -> str:
        """Return a text whose later sentences do not begin with the polite word with which the first one begins."""
        opening = self._wording.speech.opening
        if not opening or not text.startswith(opening):
            return text
        later = re.compile(rf"(?<=[.?!] ){re.escape(opening)}\b,? (\w)")
        return later.sub(lambda match: match[1].upper(), text)

    def _sentences(self) -> str:
        ending = self._ending()
        opening = ""
        for opening in self._openings():
            if n_words(opening) + n_words(ending) <= MAX_WORDS:
                return _together(opening, ending)
        if self._turn.act is Act.QUESTION and not self._turn.after.changes:
            return _together(opening, ending) if n_words(opening) + n_words(ending) <= MAX_ANSWER_WORDS else opening
        return _together(self._acknowledgement(), ending)

    def _say(self, name: str, /, **values: str) -> str:
        return self._wording.sentence(name, **values)

    # --- The end of the reply

    def _ending(self) -> str:
        """Return the question that comes next, or the last words of the conversation."""
        status, turn = self._turn.status, self._turn
        if status is Status.HANDOFF:
            return self._say("handoff")
        if status is Status.CANCELLED:
            return self._say("cancelled")
        if status is Status.CONFIRMED:
            return self._say("goodbye", total=self._wording.price(self._wording.total(turn.after.lines)))
        if self._is_read_back_denied() or (turn.act is Act.QUESTION and not self._is_asked_after_an_answer()):
            return ""
        if self._question is None or (self._question.kind is QuestionKind.MORE):
            return self._say("more" if any(line.quantity for line in turn.after.lines) else "first")
        return question_in(self._wording, self._question, turn.after)

    def _is_read_back_denied(self) -> bool:
        """Return whether the customer said no to the order that was read back, and nothing else is open."""
        asked = next(iter(self._turn.before.questions), None)
        is_more = self._question is not None and self._question.kind is QuestionKind.MORE
        return self._turn.act is Act.DENY and is_more and asked is not None and is_read_back(asked)

    def _is_asked_again(self) -> bool:
        """Return whether the open question was asked before, so that there is nothing to acknowledge."""
        return self._question is not None and self._question.blocks and self._question.times > 1

    def _is_asked_after_an_answer(self) -> bool:
        """Return whether the open question is asked once more behind the answer to a question of the customer."""
        question, inquiry = self._question, self._turn.inquiry
        is_unknown = inquiry is None or inquiry.kind is InquiryKind.OTHER
        return question is not None and (question.blocks or (question.kind is QuestionKind.OFFER and not is_unknown))

    # --- Its beginning

    def _openings(self) -> Iterator[str]:
        """Yield what may come before the question, the longest first."""
        if self._turn.status in ENDS:
            yield ""
            return
        notes = self._noted()
        n_missed = sum(map(n_words, self._turn.unmatched))
        missed = self._say("partly_understood") if 0 < n_missed <= MAX_MISSED else ""
        if not self._turn.after.changes:
            yield _together(self._reaction(), notes)
            return
        acknowledged = ""
        if not self._reads_back():
            yield from (_together(self._changed(is_brief=is_brief), notes, missed) for is_brief in (False, True))
            acknowledged = self._say("acknowledged")
        yield from [_together(acknowledged, notes, missed), _together(acknowledged, notes)]

    def _acknowledgement(self) -> str:
        """Return what comes before a question that leaves no room for more."""
        if self._reads_back():
            return ""
        return self._noted() or (self._say("acknowledged") if self._turn.after.changes else self._reaction())

    def _reads_back(self) -> bool:
        return self._question is not None and is_read_back(self._question)

    def _reaction(self) -> str:
        """Return the reaction to an utterance that changed nothing."""
        by_act: Mapping[Act, Callable[[], str]] = {
            Act.QUESTION: self._answer,
            Act.REPEAT: self._so_far,
            Act.DENY: lambda: "" if self._is_asked_again() else self._say("denied_read_back" if self._is_read_back_denied() else "denied"),
            Act.SMALLTALK: self._small_talk,
            Act.NONE: lambda: self._say("not_understood"),
            Act.CONFIRM: lambda: "" if self._is_asked_again() else self._say("acknowledged"),
        }
        return by_act[self._turn.act]() if self._turn.act in by_act else ""

    def _answer(self) -> str:
        return answer_in(self._wording, self._turn.inquiry or Inquiry(InquiryKind.OTHER), self._turn.after)

    def _so_far(self) -> str:
        """Return the order so far where no question is repeated that has its own words."""
        lines = [line for line in self._turn.after.lines if line.quantity]
        if not lines or (self._question is not None and self._question.kind is not QuestionKind.MORE):
            return ""
        return self._say("so_far", lines=self._wording.lines(lines))

    def _small_talk(self) -> str:
        if self._new_notes():
            return ""
        is_first = not self._turn.before.lines and not self._turn.before.questions
        return self._say("greeting" if is_first else "smalltalk")

    # --- Notes and changes

    def _new_notes(self) -> list[Note]:
        known = self._turn.before.notes
        unspoken = {"offer", "person", "service"} if self._reads_back() else {"offer", "person"}
        return [note for note in self._turn.after.notes if note not in known and note.kind not in unspoken]

    def _noted(self) -> str:
        """Return the confirmation of the last new note."""
        notes = self._new_notes()
        if not notes:
            return ""
        kind, _, _, value = notes[-1]
        speech = self._wording.speech
        if kind == "service" and value in speech.services:
            return self._say("noted_service", service=speech.services[value])
        if kind == "allergy" and value in speech.allergens:
            return self._say("noted_allergy", name=speech.allergens[value])
        if kind == "diet" and value in speech.diets:
            return self._say("noted_diet", name=speech.diets[value])
        return self._say("noted")

    def _changed(self, *, is_brief: bool) -> str:
        """Return the statement of all changes."""
        clauses = []
        set_name = "add" if self._turn.act in ANSWERS else "set"
        changes = self._turn.after.changes
        changed_items = {change.item for change in changes if change.op == "set"}
        added = [change for change in changes if change.op == "add" and change.item not in changed_items]
        parts = [change for change in changes if change.op != "remove" and change.item in changed_items]  # of split lines
        for of_name, name in ((added, "add"), (parts, set_name)):
            lines = self._lines_of(of_name)
            if lines:
                clauses.append(self._say(name, lines=self._wording.lines(lines, is_brief=is_brief)))
        removed = [] if self._takes_combo() else [change for change in changes if change.op == "remove"]
        taken_off = [self._wording.item(change.item, change.quantity) for change in removed]
        return _together(
            self._say("changed", changes=", ".join(clauses)) if clauses else "",
            self._say("removed", lines=self._wording.all_of(list(dict.fromkeys(taken_off)))) if taken_off else "",
        )

    def _takes_combo(self) -> bool:
        """Return whether an offered combo was put in the place of its parts."""
        asked = next(iter(self._turn.before.questions), None)
        if asked is None or not asked.replaces_lines:
            return False
        return any(change.op == "add" and change.item in asked.choices for change in self._turn.after.changes)

    def _lines_of(self, changes: Sequence[Change]) -> list[DraftLine]:
        """Return the lines that were added or set; an added one with the quantity that came."""
        lines = self._turn.after.lines
        found = []
        for change in changes:
            if 0 <= change.line < len(lines):
                line = lines[change.line]
                found.append(line._replace(quantity=change.quantity) if change.op == "add" else line)
        return found


def _together(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
