"""The facts about an endpoint that admission enforces and the OpenAPI document states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from errors import ApiError
from schemas import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about one endpoint."""

    scope: Scope | Literal["any"] | None  # "any": any client; None: open to all
    body: type[BaseModel] | None = None
    audio: type[BaseModel] | None = None  # the fields sent with audio, if the route accepts audio as a form's file or as the body
    query: type[BaseModel] | None = None
    returns: Any = None
    status: Mapping[int, str] = field(default_factory=lambda: {200: "Done."})
    raises: Sequence[type[ApiError]] = ()
    produces: str = "application/json"
    sends_etag: bool = False
    needs_etag: bool = False  # If-Match, or If-None-Match for what is new
