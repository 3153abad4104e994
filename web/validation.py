"""Validate bodies and fields against pydantic models; the ApiError of a failure quotes no input."""

import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from errors import ApiError, BadRequest, FieldError, ValidationFailed

M = TypeVar("M", bound=BaseModel)
MAX_FIELD_ERRORS, MAX_LOC_CHARACTERS = 100, 100
NOT_JSON = "The body is not JSON, or not UTF-8."
# pydantic names an unknown field of a dataclass and of a model differently; callers see one name.
_UNKNOWN_ARGUMENT, _UNKNOWN_FIELD = "unexpected_keyword_argument", ("extra_forbidden", "Extra inputs are not permitted")


def validate_json(body: bytes, model: type[M]) -> M:
    """Parse and validate JSON.

    Raises:
        BadRequest: the body is not JSON. ValidationFailed: a field is missing, unknown or malformed.

    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise validation_failure(error, model, body) from None  # the error quotes the body, which no log may contain


def validate_fields(model: type[M], fields: Sequence[tuple[str, str]]) -> M:
    """Validate the fields of a query or a form, where "16000" and "true" are text.

    Raises:
        ValidationFailed: a field is unknown, malformed, or given twice with different values.

    """
    values: dict[str, str] = {}
    for name, value in fields:
        if values.setdefault(name, value) != value:
            raise ValidationFailed(errors=[{"loc": [name[:MAX_LOC_CHARACTERS]], "msg": "Given twice", "type": "duplicate"}])
    try:
        return model.model_validate_strings(values)
    except ValidationError as error:
        raise validation_failure(error, model) from None


def validation_failure(error: ValidationError, model: type[BaseModel], body: bytes = b"") -> ApiError:
    """Return the ApiError for a failed validation; `body` is the JSON that failed."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid" and not details[0]["loc"]:  # with a location, a field that contains JSON is malformed
        if "number out of range" in details[0]["msg"]:
            return _out_of_range(model, body)
        return BadRequest(NOT_JSON)
    errors: list[FieldError] = []
    for detail in details[:MAX_FIELD_ERRORS]:
        type_, message = _UNKNOWN_FIELD if detail["type"] == _UNKNOWN_ARGUMENT else (detail["type"], detail["msg"])
        loc = [step[:MAX_LOC_CHARACTERS] if isinstance(step, str) else step for step in detail["loc"]]
        errors.append({"loc": loc, "msg": message, "type": type_})
    return ValidationFailed(errors=errors)


def _out_of_range(model: type[BaseModel], body: bytes) -> ApiError:
    """Return the error of a number with thousands of digits with its field; pydantic reports malformed JSON without a location."""
    try:
        model.model_validate_json(json.dumps(json.loads(body, parse_int=_bounded_integer)))
    except ValidationError as error:
        return validation_failure(error, model)
    except (ValueError, RecursionError):
        pass
    return BadRequest(NOT_JSON)


def _bounded_integer(digits: str) -> float:
    """Parse an integer; one beyond 64 bits becomes 1e308, which every field rejects."""
    return int(digits) if len(digits) < len(str(2**63)) else 1e308
