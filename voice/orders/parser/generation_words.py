"""Random orders, and their words: the parts that all generated examples share."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from schemas import LineRequest, OptionRequest
from voice.menus.menu import Choice, Item, Menu
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.language_packs import language_packs
from voice.orders.parser.state import OpenQuestion

TEMPLATES: Final = Path(__file__).parents[3] / "corpus/templates"
NUMBERS: Final = (1, 1, 1, 2, 2, 3, 4, 5, 6)


@cache
def templates_of(language: str) -> dict[str, Any]:
    """Read the templates of a language, once."""
    templates: dict[str, Any] = yaml.safe_load((TEMPLATES / f"{language}.yaml").read_text(encoding="utf-8"))
    return templates


class ExampleWriter:
    """Writes random orders of one menu in one language."""

    def __init__(self, menu: Menu, language: str) -> None:
        self.menu = menu
        self.random = random.Random(f"{menu.id} {language}")  # noqa: S311 - examples, no secrets
        self.templates = templates_of(language)
        units = language_packs()[language].numbers.units
        self.number_words = {value: word for word, value in reversed(units.items())}
        named: list[Item | Choice] = [*menu.items.values()]
        named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
        self.names = [set(words.phrase(name)) for one in named for name in (one.name, *one.aliases)]
        self.kinds = {group_id: _kinds([one.name for one in group.choices.values()]) for group_id, group in menu.option_groups.items()}
        self.items = [item_id for item_id, item in menu.items.items() if item.available]

    # --- Parts of orders

    def _line(self, item: str | None = None, *, max_options: int = 3) -> LineRequest:
        item = item or self.random.choice(self.items)
        groups = [group for group in self.menu.items[item].options if self.menu.option_groups[group].choices]
        options: list[OptionRequest] = []
        for group in self.random.sample(groups, min(len(groups), self.random.choice([0, 0, 1, 1, 2, max_options]))):
            options += self._options(group)
        return LineRequest(item=item, quantity=self.random.choice(NUMBERS), options=options)

    def _options(self, group_id: str) -> list[OptionRequest]:
        group = self.menu.option_groups[group_id]
        if group.select == "one":
            return [OptionRequest(group=group_id, choice=self.random.choice(list(group.choices)))]
        chosen = self.random.sample(list(group.choices), min(len(group.choices), self.random.choice([1, 1, 2])))
        amounts: list[Any] = [None, None, None, "no", "no", "extra", "light"]
        return [OptionRequest(group=group_id, choice=choice, amount=self.random.choice(amounts)) for choice in chosen]

    def _lines(self, count: int) -> list[LineRequest]:
        """Return lines of different items."""
        return [self._line(item) for item in self.random.sample(self.items, min(count, len(self.items)))]

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # --- Words

    def _pick(self, *keys: str) -> str:
        found: Any = self.templates
        for key in keys:
            found = found[key]
        return str(self.random.choice(found))

    def _name(self, named: Any) -> str:
        """Return a name, often the first one, sometimes without a word if the others still name nothing else."""
        names = [named.name, *named.aliases]
        spoken = words.phrase(names[0] if self._chance(0.6) else self.random.choice(names))
        if len(spoken) > 1 and self._chance(0.2):
            at = self.random.randrange(len(spoken))
            left = (*spoken[:at], *spoken[at + 1 :])
            if sum([set(left) <= name for name in self.names]) == sum([set(left) <= set(words.phrase(name)) for name in names]):
                spoken = left
        return " ".join(spoken)

    def _item_words(self, item: str) -> str:
        return self._name(self.menu.items[item])

    def _choice_words(self, group: str, choice: str | None) -> str:
        """Name a choice, sometimes with the noun of its kind: "jalapeno peppers" beside "banana peppers"."""
        name = self._name(self.menu.option_groups[group].choices[choice or ""])
        kinds = self.kinds[group] if self.templates["plural"] and self._chance(0.1) else []
        return f"{name} {kinds[0]}" if kinds and kinds[0] not in name.split() else name

    def _option_words(self, option: OptionRequest) -> str:
        name = self._choice_words(option.group, option.choice)
        return name if option.amount in {None, "regular"} else self._pick(str(option.amount)).replace("{c}", name)

    def _number(self, value: int) -> str:
        return self.number_words.get(value, str(value)) if self._chance(0.75) else str(value)

    def _line_words(self, line: LineRequest, *, article: bool = True) -> str:
        """Put a line into words: number, item, options before or behind it."""
        number = self._pick("articles") if line.quantity == 1 and article else self._number(line.quantity)
        unit = self._pick("units")
        name = self._item_words(line.item)
        if line.quantity > 1 and not unit and self._chance(0.7):
            name += self.templates["plural"]
        before: list[str] = []
        behind: list[str] = []
        last_group = ""
        for option in line.options:
            is_plain = option.amount is None and self.templates["options"]["before"]
            if not is_plain or self._chance(0.5):
                behind.append(self._option_words(option))
            elif option.group == last_group and self._chance(0.7):
                before[-1] += f" {self.templates['joins'][0]} {self._option_words(option)}"  # "a steak and chicken bowl"
            else:
                before.append(self._option_words(option))
                last_group = option.group
        spoken = " ".join(filter(None, [number, unit if not before else "", *before, name]))
        if behind:
            joined = behind[0]
            for option_words in behind[1:]:
                joined += (
                    f" {self.random.choice(['and', ',', '']) if self.templates['plural'] else self.random.choice([',', ''])} {option_words}"
                )
            spoken += " " + self._pick("options", "behind").replace("{o}", joined)
        return spoken

    def _said(self, spoken: str, *, opening: bool = False) -> str:
        """Add an opening, a closing and a mark; a fifth of utterances is typed without diacritics or in capitals."""
        parts = [self._pick("openings") if opening else "", spoken, self._pick("closings")]
        utterance = " ".join(filter(None, parts)) + self._pick("marks")
        if self._chance(0.12):
            utterance = words.fold(utterance)
        return " ".join(utterance.replace(" ,", ",").split())

    def _filled(self, template: str, **values: str) -> str:
        for key, value in values.items():
            template = template.replace("{" + key + "}", value)
        return template

    # --- Examples

    def _example(
        self, say: str, before: Sequence[LineRequest], after: Sequence[LineRequest], question: OpenQuestion | None = None
    ) -> Example:
        act = "order" if list(before) != list(after) else ""
        return Example(self.menu, say, before, [after], question, act)

    def _asked(self) -> OpenQuestion | None:
        return self.random.choice([None, None, OpenQuestion("more")])


def _kinds(names: Sequence[str]) -> list[str]:
    """Return the nouns with which several names end, the most frequent first."""
    nouns = Counter([phrase[-1] for phrase in map(words.phrase, names) if len(phrase) > 1])
    return [noun for noun, count in nouns.most_common() if count > 1]
