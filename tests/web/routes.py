"""Routes, and requests to them, for the tests of the HTTP layer."""

from typing import Any

ORDER, SPEECH, RECOMMEND = "/api/v1/voice/order", "/api/v1/voice/speech", "/api/v1/voice/recommend_order"
MENUS = "/api/v1/voice/menus"
MENU = "quan-nha"


def scope_of(path: str, content_type: str, state: dict[str, Any]) -> dict[str, Any]:
    headers = [(b"x-secret-id", b"demo"), (b"x-secret-key", b"demo-secret"), (b"content-type", content_type.encode())]
    return {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "state": state}


def loc_of(response):
    return [error["loc"] for error in response.json()["data"]["errors"]]
