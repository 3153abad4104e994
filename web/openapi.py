"""Build the OpenAPI 3.1 document from the route table and the `Facts` of each endpoint."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute, Route

from errors import (
    ApiError,
    AuthorizationFailed,
    AuthRequired,
    BadRequest,
    FieldError,
    InvalidCredentials,
    InvalidSecretId,
    InvalidSecretKey,
    InvalidToken,
    NotFound,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    UnsupportedMediaType,
    ValidationFailed,
)
from schemas import Envelope
from web.facts import Facts
from web.media_types import AUDIO_TYPES
from web.openapi_examples import EXAMPLES

_ADMISSION_ERRORS = (AuthRequired, InvalidToken, InvalidSecretId, InvalidSecretKey, InvalidCredentials, RateLimited)
_PARAMETERS = {
    "order_id": ({"type": "string", "format": "uuid"}, "An id that the caller chooses.", "3f2b8c1e-6d53-4a7e-9f0a-2b1c5d7e8f90"),
    "item": ({"type": "string"}, "An item's id.", "ca-phe-sua"),
    "group": ({"type": "string"}, "An option group's id.", "size"),
    "choice": ({"type": "string"}, "The id of a choice of the group.", "l"),
    "menu": ({"type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": 200}, "A menu's id.", "quan-nha"),
}
_HEADERS = {
    "X-Request-ID": (
        "The request's own id if it was well-formed, else a new one.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ),
    "WWW-Authenticate": ("The authentication scheme.", {"type": "string", "const": "Bearer"}),
    "Retry-After": ("Seconds after which a retry is useful.", {"type": "integer", "minimum": 1}),
    "ETag": ("The version of the menu's file.", {"type": "string"}),
    "Allow": ("The methods of this path.", {"type": "string"}),
}


_PRECONDITIONS = (
    ("If-Match", "The ETag of what is changed; one of the two headers is needed.", '"9c1f…"'),
    ("If-None-Match", "`*`: only if nothing is there.", "*"),
)


def errors_by_status(facts: Facts, path: str) -> dict[int, list[type[ApiError]]]:
    """Return the errors that an endpoint under `path` may reply with, by status."""
    classes: list[type[ApiError]] = [*facts.raises, ApiError]
    if facts.scope is not None:
        classes += [*_ADMISSION_ERRORS, PayloadTooLarge]
    if facts.scope not in (None, "any"):
        classes.append(AuthorizationFailed)
    if facts.body is not None:
        classes += [BadRequest, PayloadTooLarge, UnsupportedMediaType, ValidationFailed, Overloaded]
    if facts.query is not None:
        classes.append(ValidationFailed)
    if "{" in path:
        classes.append(NotFound)
    by_status: dict[int, list[type[ApiError]]] = {}
    for class_ in sorted(dict.fromkeys(classes), key=lambda class_: (class_.status, class_.error)):
        by_status.setdefault(class_.status, []).append(class_)
    return by_status


def document(routes: Iterable[BaseRoute], *, version: str, server_url: str) -> dict[str, Any]:
    """Return the OpenAPI document of the routes with `include_in_schema`.

    Raises:
        TypeError: a route's endpoint has no `Facts`.

    """
    described: list[tuple[Route, str, Facts]] = []
    for route in routes:
        if not getattr(route, "include_in_schema", True):
            continue
        facts = getattr(getattr(route, "endpoint", None), "facts", None)
        if not isinstance(route, Route) or not isinstance(facts, Facts):
            message = f"this route is not described: {route!r}"
            raise TypeError(message)
        described += [(route, method, facts) for method in sorted((route.methods or set()) - {"HEAD"})]

    bodies = {body for _, _, facts in described for body in (facts.body, facts.audio) if body is not None}
    replies: dict[str, type[BaseModel]] = {
        name_of(facts.returns): cast("type[BaseModel]", Envelope.__class_getitem__(facts.returns))
        for _, _, facts in described
        if facts.returns is not None
    }
    references, definitions = models_json_schema(
        [(body, "validation") for body in bodies] + [(reply, "serialization") for reply in replies.values()],
        ref_template="#/components/schemas/{model}",
    )
    schemas = dict(definitions["$defs"])
    parts = [shape for shape in EXAMPLES if shape not in bodies and name_of(shape) in schemas and name_of(shape) not in replies]
    for part in parts:
        schemas[name_of(part)]["examples"] = [EXAMPLES[part]]
    schemas["FieldError"] = TypeAdapter(FieldError).json_schema()
    failed = {class_ for route, _, facts in described for classes in errors_by_status(facts, route.path).values() for class_ in classes}
    schemas |= {_failure_name(class_): _failure_schema(class_) for class_ in failed}
    paths: dict[str, dict[str, Any]] = {}
    for route, method, facts in described:
        body = references.get((facts.body, "validation")) if facts.body else None
        reply = references[replies[name_of(facts.returns)], "serialization"] if facts.returns is not None else None
        options = schemas[facts.audio.__name__] if facts.audio else None
        paths.setdefault(route.path, {})[method.lower()] = _operation(route, facts, body=body, reply=reply, options=options)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Voice API",
            "version": version,
            "description": "Transcribe speech, turn an utterance into a priced order, and suggest the next items for a basket. "
            "Of duplicate JSON keys the last counts.",
        },
        "servers": [{"url": server_url}],
        "tags": [{"name": name} for name in sorted({_tag(route) for route, _, _ in described})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in _HEADERS.items()},
            "securitySchemes": {
                "SecretId": {"type": "apiKey", "in": "header", "name": "X-Secret-Id"},
                "SecretKey": {"type": "apiKey", "in": "header", "name": "X-Secret-Key"},
                "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def name_of(returns: Any) -> str:
    """Return the name of a reply's type."""
    return str(getattr(returns, "__name__", returns))


def _failure_name(class_: type[ApiError]) -> str:
    return f"{class_.__name__}Failure"


def _failure_schema(class_: type[ApiError]) -> dict[str, Any]:
    """Return the complete schema of an error envelope: client generators do not merge references to a common part."""
    data: dict[str, Any] = {
        "error": {"type": "string", "const": str(class_.error), "description": "The stable error code."},
        "request_id": {"type": "string"},
    }
    if issubclass(class_, ValidationFailed):
        data["errors"] = {
            "type": "array",
            "items": {"$ref": "#/components/schemas/FieldError"},
            "description": "The wrong fields.",
        }
    return {
        "type": "object",
        "description": (class_.__doc__ or "").splitlines()[0],
        "properties": {
            "code": {"type": "integer", "const": class_.status, "description": "The HTTP status."},
            "msg": {"type": "string", "description": "One sentence for people."},
            "data": {"type": "object", "properties": data, "required": list(data)},
        },
        "required": ["code", "msg", "data"],
    }


def _tag(route: Route) -> str:
    """Return the group of a route: the path segment after the version."""
    part = route.path.removeprefix("/api/v1").split("/")[1]
    return part if part in ("voice", "auth", "docs") else "service"


def _operation(route: Route, facts: Facts, *, body: Any, reply: Any, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the operation of a route; its summary and description are the endpoint's docstring."""
    text = (route.endpoint.__doc__ or "").strip()
    summary, _, description = text.partition("\n")
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": summary.rstrip("."),
        "tags": [_tag(route)],
        "responses": _responses(route, facts, reply),
    }
    if description.strip():
        operation["description"] = re.sub(r"\s*\n\s*", " ", description.strip())
    parameters = [_path_parameter(name) for name in route.param_convertors]
    if facts.needs_etag:
        parameters += [_header_parameter(*parameter) for parameter in _PRECONDITIONS]
    if facts.query is not None:
        parameters += [
            {"name": name, "in": "query", "required": False, "description": schema["description"], "schema": _without_null(schema)}
            for name, schema in facts.query.model_json_schema()["properties"].items()
        ]
    if options is not None:
        parameters += _query_parameters(options)
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _contents(facts, body, options)}
        if options is not None:
            operation["requestBody"]["description"] = f"A body that is audio has one of the types {', '.join(AUDIO_TYPES)}."
    if facts.scope is None:
        operation["security"] = []
    else:
        scopes = [] if facts.scope == "any" else [facts.scope]
        operation["security"] = [{"SecretId": [], "SecretKey": []}, {"Bearer": scopes}]
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    schema, text, example = _PARAMETERS[name]
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema, "example": example}


def _header_parameter(name: str, text: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}, "example": example}


def _query_parameters(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a request as query parameters, for a body that is audio."""
    properties = dict(options["properties"])
    rate = properties.get("sample_rate") or properties.get("hertz")
    properties |= {"sample_rate": rate, "hertz": rate}
    text = "Only with a body that is audio."
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without null: a query or a form omits the field instead."""
    types = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return dict(types[0]) if len(types) == 1 else {key: value for key, value in schema.items() if key not in ("default", "title")}


def _contents(facts: Facts, body: Any, options: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": body}}
    if facts.body in EXAMPLES:
        content["application/json"]["example"] = EXAMPLES[facts.body]
    if options is not None:
        fields = {parameter["name"]: parameter["schema"] for parameter in _query_parameters(options)}
        audio = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        content["multipart/form-data"] = {
            "schema": {"type": "object", "properties": {"file": audio, **fields}, "required": ["file"]},
        }
        # Client generators reject audio/* types: octet-stream stands for all of them, and the description lists them.
        content["application/octet-stream"] = {"schema": audio}
    return content


def _responses(route: Route, facts: Facts, reply: Any) -> dict[str, Any]:
    request_id_header = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
    responses: dict[str, Any] = {}
    for status, text in facts.status.items():
        content: dict[str, Any] = {"schema": reply} if reply is not None else {"schema": {"type": "string"}}
        if facts.returns in EXAMPLES:
            content["example"] = {"code": status, "msg": text, "data": EXAMPLES[facts.returns]}
        headers = request_id_header | ({"ETag": {"$ref": "#/components/headers/ETag"}} if facts.sends_etag else {})
        responses[str(status)] = {"description": text, "headers": headers, "content": {facts.produces: content}}
    for status, classes in errors_by_status(facts, route.path).items():
        names = {name for class_ in classes for name in _headers_of(class_)}
        references = [{"$ref": f"#/components/schemas/{_failure_name(class_)}"} for class_ in classes]
        responses[str(status)] = {
            "description": "\n\n".join(f"`{class_.error}`: {(class_.__doc__ or '').splitlines()[0]}" for class_ in classes),
            "headers": request_id_header | {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)},
            "content": {"application/json": {"schema": references[0] if len(references) == 1 else {"oneOf": references}}},
        }
    return dict(sorted(responses.items()))


def _headers_of(class_: type[ApiError]) -> Iterable[str]:
    """Return the names of the headers of an error reply."""
    if class_.status in (429, 503):
        return ("Retry-After",)
    return class_.headers
