"""Generated examples of references to the lines of persons: "make Anna's large", "của Nam y chang vậy"."""

from collections.abc import Sequence

from schemas import LineRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.parser.generation_changes import ChangeExamples


class PersonExamples(ChangeExamples):
    """Writes examples about the lines of persons."""

    def _person(self) -> Example | None:
        """Change, replace, remove or copy the line of one of two persons."""
        before = [line.model_copy(update={"quantity": 1}) for line in self._lines(2)]
        if self._chance(0.3):
            before = [before[0], self._line(before[0].item).model_copy(update={"quantity": 1})]
        first, second = self.random.sample(self.templates["persons"]["of"], 2)
        if len(before) == 1:
            return None
        at = self.random.randrange(2)
        kind = self.random.choice(["option", "option", "replace", "remove", "copy", "over"])
        words_of: dict[str, str] = {}
        after = [*before]
        if kind == "option":
            option = self._other_choice(before[at])
            if option is None:
                return None
            after[at] = self._with_option(before[at], option)
            words_of["o"] = self._option_words(option)
        elif kind == "replace":
            others = [item for item in self.items if item not in {line.item for line in before}]
            if not others:
                return None
            item = self.random.choice(others)
            kept = [option for option in before[at].options if option.group in self.menu.items[item].options]
            after[at] = LineRequest(item=item, options=kept)
            words_of["j"] = self._item_words(item)
        elif kind == "remove":
            del after[at]
        elif kind == "copy":
            after.append(before[at])
        else:
            after[at] = before[1 - at]
        say = self._filled(self._pick("persons", kind), p=first, q=second, **words_of)
        return self._about(say, before, after, ((first, (at,)), (second, (1 - at,))))

    def _about(
        self, say: str, before: Sequence[LineRequest], after: Sequence[LineRequest], persons: Sequence[tuple[str, tuple[int, ...]]]
    ) -> Example:
        """Return an example that mentions persons; it may be typed without diacritics, as the mentions are then."""
        example = self._referring(say, before, after, self.random.randrange(len(before)))
        is_folded = words.fold(example.utterance) == example.utterance
        return example._replace(persons=[(words.fold(said) if is_folded else said, lines) for said, lines in persons])
