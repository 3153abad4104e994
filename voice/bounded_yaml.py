"""Parse YAML, and JSON, which it contains, in bounded time and memory, with the position of each value.

PyYAML's composer recurses in C (100,000 brackets overflow the stack) and expands aliases without limit. Its parser does neither: the
values are built here from its events, which are counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

# 5,000 items with four names and prices each take 0.8 MB and 85,000 values.
MAX_BYTES = 2_000_000
# Aliases expanded. A parsed value takes some 500 bytes.
MAX_NODES = 200_000
# A menu has six levels.
MAX_DEPTH = 50
# Longer numbers are outside every range that is checked later, and take quadratic time to parse.
MAX_DIGITS = 20

_INTEGER = re.compile(r"[-+]?[0-9]+")
_PLAIN = {"": None, "~": None, "null": None, "true": True, "false": False}
# libyaml compares each %TAG line with all before it: 60,000 take four seconds.
_DIRECTIVE = re.compile("(?:\\A|[\\r\\n\x85\u2028\u2029])(%)")


class Position(NamedTuple):
    """The position of a value; both start at 1, columns count characters."""

    line: int
    column: int

    def __str__(self) -> str:
        """Format the position for an error message."""
        return f"line {self.line}, column {self.column}"


START = Position(1, 1)


class YamlError(Exception):
    """A text that is not YAML, or exceeds a limit."""

    def __init__(self, position: Position, problem: str) -> None:
        super().__init__(f"{position}: {problem}")
        self.position, self.problem = position, problem


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document: dictionaries with string keys, lists, strings, integers, booleans and None."""

    content: Any
    positions: dict[tuple[int, str | int], Position]  # of each child, by the id() of its container and its key or index

    def position(self, path: Sequence[str | int]) -> Position:
        """Return the position of a validation error's path, or of its longest prefix in the document."""
        container, position = self.content, self.positions.get((0, 0), START)
        for step in path:
            found = self.positions.get((id(container), step))
            if found is None:
                break
            container, position = container[step], found
        return position


@dataclass(slots=True)
class _Anchored:
    """The value of an anchor, for its aliases."""

    value: object
    n_nodes: int
    height: int


@dataclass(slots=True)
class _OpenContainer:
    """A mapping or a sequence whose end has not come."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    nodes_before: int
    height: int = 1
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    """Builds the values from the events, without recursion."""

    repeated: list[YamlError] | None = None
    content: object = None
    positions: dict[tuple[int, str | int], Position] = field(default_factory=dict)
    n_nodes: int = 0
    n_documents: int = 0
    stack: list[_OpenContainer] = field(default_factory=list)
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)  # None while its value is being built

    def add(self, event: yaml.Event) -> None:
        """Process the next event."""
        position = _position(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self.n_documents += 1
            if self.n_documents > 1:
                raise YamlError(position, "a second document begins")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.NodeEvent):
            if self._expects_key():
                self._set_key(event, position)
            else:
                self._add_node(event, position)

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _set_key(self, event: yaml.NodeEvent, position: Position) -> None:
        """Store the key until its value comes; it is a string, since an id may be `no` or `7`."""
        if not isinstance(event, yaml.ScalarEvent):
            raise YamlError(position, "a key must be a string")
        mapping = self.stack[-1]
        if event.value in mapping.value:
            error = YamlError(position, f"the key {event.value[:100]!r} occurs twice")
            if self.repeated is None:
                raise error
            self.repeated.append(error)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(event.value, 1, 0)
        mapping.key = event.value
        self._count(1, position)

    def _add_node(self, event: yaml.NodeEvent, position: Position) -> None:
        if isinstance(event, yaml.AliasEvent):
            target = self._target(event.anchor, position)
            self._count(target.n_nodes, position)
            self._nest(target.height, position)
            self._place(target.value, position)
        elif isinstance(event, yaml.ScalarEvent):
            self._count(1, position)
            value = _scalar(event, position)
            if event.anchor is not None:
                self.anchors[event.anchor] = _Anchored(value, 1, 0)
            self._place(value, position)
        else:
            container: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._place(container, position)
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            self.stack.append(_OpenContainer(container, event.anchor, self.n_nodes))
            self._count(1, position)
            self._nest(0, position)

    def _target(self, anchor: str | None, position: Position) -> _Anchored:
        name = anchor or ""
        if name not in self.anchors:
            raise YamlError(position, f"the alias {name[:100]!r} has no anchor")
        target = self.anchors[name]
        if target is None:
            raise YamlError(position, f"the alias {name[:100]!r} refers to itself")
        return target

    def _count(self, n_nodes: int, position: Position) -> None:
        self.n_nodes += n_nodes
        if self.n_nodes > MAX_NODES:
            raise YamlError(position, f"more than {MAX_NODES} values, with aliases expanded")

    def _nest(self, height: int, position: Position) -> None:
        """Account for `height` levels below the innermost container."""
        if len(self.stack) + height > MAX_DEPTH:
            raise YamlError(position, f"nested more than {MAX_DEPTH} levels deep")
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, height + 1)

    def _place(self, value: object, position: Position) -> None:
        """Add a value to the innermost container."""
        if not self.stack:
            self.content, self.positions[0, 0] = value, position
            return
        parent = self.stack[-1]
        if isinstance(parent.value, list):
            self.positions[id(parent.value), len(parent.value)] = position
            parent.value.append(value)
        else:
            assert parent.key is not None  # noqa: S101 - else the event would be the key
            self.positions[id(parent.value), parent.key] = position
            parent.value[parent.key] = value
            parent.key = None

    def _close(self) -> None:
        closed = self.stack.pop()
        if closed.anchor is not None:
            self.anchors[closed.anchor] = _Anchored(closed.value, self.n_nodes - closed.nodes_before, closed.height)
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, closed.height + 1)


def _scalar(event: yaml.ScalarEvent, position: Position) -> object:
    """Parse a scalar roughly as YAML 1.2 does: unquoted null, booleans and integers; all others are strings."""
    text: str = event.value
    if event.style:  # quoted, or a block
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text) is None:
        return text
    if len(text) > MAX_DIGITS:
        raise YamlError(position, f"a number of more than {MAX_DIGITS} digits")
    return int(text)


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else START


def _at(data: bytes, offset: int) -> Position:
    """Return the position of the byte at `offset` of a UTF-8 text."""
    before = data[:offset]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Position(before.count(b"\n") + 1, column)


def parse(data: bytes, repeated: list[YamlError] | None = None) -> Document:
    """Parse a document. `repeated` gets the errors of keys that occur twice, of which the last counts; None: they are raised.

    Raises:
        YamlError: the text is not YAML, is too large or too deep, or an alias refers to itself.

    """
    if len(data) > MAX_BYTES:
        raise YamlError(START, f"larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(_at(data, error.start), "not UTF-8") from error
    directive = _DIRECTIVE.search(text)
    if directive is not None:
        raise YamlError(_at(text.encode(), len(text[: directive.start(1)].encode())), "a line may not begin with '%'")
    builder = _Builder(repeated)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        raise YamlError(_position(error.problem_mark or error.context_mark), str(error.problem)) from error
    except yaml.reader.ReaderError as error:
        raise YamlError(_at(text.encode(), error.position), "a character that YAML does not allow") from error
    if not builder.n_documents:
        raise YamlError(START, "the file is empty")
    return Document(builder.content, builder.positions)
