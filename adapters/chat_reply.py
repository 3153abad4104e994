"""The forms of a chat completion: one object, or events."""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A completion: a sentence, or a call of one tool."""

    model: str
    text: str
    order: Mapping[str, Any]
    n_words_read: int
    tool: str | None = None  # its name
    arguments: Mapping[str, Any] | None = None
    is_legacy: bool = False  # the tool was declared in `functions`

    @property
    def finish_reason(self) -> str:
        """Why the reply ends."""
        return "stop" if self.tool is None else "function_call" if self.is_legacy else "tool_calls"

    def message(self) -> dict[str, Any]:
        """Return the message of the assistant."""
        if self.tool is None:
            return {"role": "assistant", "content": self.text}
        function = {"name": self.tool, "arguments": orjson.dumps(self.arguments).decode()}
        if self.is_legacy:
            return {"role": "assistant", "content": None, "function_call": function}
        call = {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    def usage(self) -> dict[str, int]:
        """Return the usage, counted in words: there are no tokens."""
        n_said = 0 if self.tool else len(self.text.split())
        return {"prompt_tokens": self.n_words_read, "completion_tokens": n_said, "total_tokens": self.n_words_read + n_said}

    def body(self) -> dict[str, Any]:
        """Return the reply as one object; the order is a field of this service."""
        choice = {"index": 0, "message": {**self.message(), "refusal": None}, "logprobs": None, "finish_reason": self.finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self.usage(), "order": self.order}

    def events(self, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """Yield the reply as chunks; the last one of the message has the order.

        A tool call is one chunk with the whole of its arguments and no text: some clients read only the first call of a chunk, and no text
        beside one.
        """
        head = self._head("chat.completion.chunk")
        delta = self.message()
        for number, call in enumerate(delta.get("tool_calls", ())):
            call["index"] = number
        opening = {"role": delta.pop("role"), "content": "" if self.tool is None else None}
        for part in (opening, delta):
            yield head | {"choices": [_choice(part, None)]}
        yield head | {"choices": [_choice({}, self.finish_reason)], "order": self.order}
        if with_usage:
            yield head | {"choices": [], "usage": self.usage()}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": self.model}


def _choice(delta: Mapping[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}
