"""Examples of the OpenAPI document: a value of each request and reply type, and of parts that replies have on demand."""

from collections.abc import Mapping
from typing import Any

from schemas import (
    AvailabilityRequest,
    Explanation,
    Health,
    Links,
    MenuDetail,
    MenuId,
    MenuList,
    Order,
    OrderList,
    OrderRequest,
    PartAvailability,
    Readiness,
    RecommendRequest,
    RefreshRequest,
    SpeechRequest,
    StoredOrder,
    StoreOrderRequest,
    Suggestions,
    TokenRequest,
    Tokens,
    Transcript,
)
from voice.menus.menu import Menu

_MENU = "quan-nha"
_ORDER_ID = "3f2b8c1e-6d53-4a7e-9f0a-2b1c5d7e8f90"
_LINE = {
    "item": "ca-phe-sua",
    "name": "Cà phê sữa",
    "quantity": 2,
    "options": [{"group": "sugar", "choice": "half", "name": "Ít đường", "amount": None, "quantity": 1, "price": 0}],
    "unit_price": 29000,
    "total": 58000,
    "confidence": 0.98,
    "span": [9, 32],
}
_MORE = "Mình dùng thêm gì nữa không ạ?"
_SAY = f"Dạ, hai cà phê sữa ít đường. {_MORE}"
_TOKENS = {"access_token": "eyJhbGciOi…", "refresh_token": "eyJhbGciOi…", "token_type": "Bearer", "expires_in": 900}
_ARCS: list[dict[str, Any]] = [
    {
        "span": [0, 8],
        "text": "cho mình",
        "role": "request",
        "value": None,
        "fits": [],
        "partial": False,
        "cost": 1.73,
        "features": [
            {"feature": "function", "value": 1.0, "weight": 2.23, "cost": 2.23},
            {"feature": "function.REQUEST", "value": 1.0, "weight": -0.5, "cost": -0.5},
        ],
    },
    {
        "span": [9, 12],
        "text": "hai",
        "role": "number",
        "value": 2,
        "fits": [],
        "partial": False,
        "cost": 1.5,
        "features": [{"feature": "number", "value": 1.0, "weight": 1.5, "cost": 1.5}],
    },
    {
        "span": [13, 23],
        "text": "cà phê sữa",
        "role": "item",
        "value": None,
        "fits": [{"id": "ca-phe-sua", "name": "Cà phê sữa"}],
        "partial": False,
        "cost": 0.72,
        "features": [{"feature": "name.item", "value": 1.0, "weight": 0.72, "cost": 0.72}],
    },
    {
        "span": [24, 32],
        "text": "ít đường",
        "role": "option",
        "value": None,
        "fits": [{"group": "sugar", "id": "half", "name": "Ít đường"}],
        "partial": False,
        "cost": 0.71,
        "features": [{"feature": "name.option", "value": 1.0, "weight": 0.71, "cost": 0.71}],
    },
]
_STORED_ORDER: dict[str, Any] = {
    "order_id": _ORDER_ID,
    "menu": _MENU,
    "lines": [{**_LINE, "confidence": None, "span": None}],
    "notes": [],
    "total": 58000,
    "currency": "VND",
    "customer_id": 7,
    "placed_at": "2026-11-22T10:00:00Z",
}
EXAMPLES: Mapping[Any, Mapping[str, Any]] = {
    SpeechRequest: {"audio": "UklGRg==", "language": "vi", "menu": _MENU},
    Transcript: {
        "text": "cho mình hai cà phê sữa ít đường",
        "language": "vi",
        "language_confidence": None,
        "duration_s": 2.4,
        "segments": [{"start_s": 0.2, "end_s": 2.2, "text": "cho mình hai cà phê sữa ít đường", "confidence": 0.93}],
        "processing_ms": 210.0,
    },
    OrderRequest: {"menu": _MENU, "text": "cho mình hai cà phê sữa ít đường", "lines": []},
    Order: {
        "menu": _MENU,
        "lines": [_LINE],
        "total": 58000,
        "currency": "VND",
        "act": "order",
        "status": "open",
        "say": {"text": _SAY, "language": "vi"},
        "changes": [{"op": "add", "line": 0, "item": "ca-phe-sua", "quantity": 2}],
        "questions": [{"kind": "more", "line": None, "group": None, "choices": [], "text": _MORE, "blocks": False, "times": 1}],
        "unmatched": [],
        "notes": [],
    },
    Explanation: {
        "utterance": "cho mình hai cà phê sữa ít đường",
        "tokens": [
            {"text": "cho", "span": [0, 3]},
            {"text": "mình", "span": [4, 8]},
            {"text": "hai", "span": [9, 12]},
            {"text": "cà", "span": [13, 15]},
            {"text": "phê", "span": [16, 19]},
            {"text": "sữa", "span": [20, 23]},
            {"text": "ít", "span": [24, 26]},
            {"text": "đường", "span": [27, 32]},
        ],
        "asked": None,
        "act": "order",
        "acts": {"edit": 0.9999, "question": 0.0001},
        "chosen": {
            "order": ["2 x ca-phe-sua [half]"],
            "unresolved": [],
            "probability": 0.9986,
            "cost": 7.64,
            "arcs": _ARCS,
            "events": [
                {
                    "event": "add",
                    "attributes": {"verb": "add", "number": "many", "options": 1, "flags": [], "target": "new", "first": True},
                    "n_arcs": 4,
                    "cost": 0.7,
                    "features": [
                        {"feature": "add.first=True", "value": 1.0, "weight": 1.05, "cost": 1.05},
                        {"feature": "add.number=many", "value": 1.0, "weight": -0.35, "cost": -0.35},
                    ],
                }
            ],
            "edits": [
                {
                    "span": [9, 32],
                    "text": "hai cà phê sữa ít đường",
                    "lines": [{"line": 0, "before": None, "after": "2 x ca-phe-sua [half]"}],
                }
            ],
            "unread": [],
        },
        "runner_up": {
            "order": ["1 x ca-phe-sua [half]"],
            "unresolved": [],
            "probability": 0.0011,
            "cost": 13.12,
            "arcs": [{**_ARCS[1], "role": "unread", "value": None, "cost": 5.3, "features": []}],
            "differences": [{"feature": "unread", "chosen": 0.0, "runner_up": 1.0, "weight": 2.22, "cost": 2.22}],
        },
    },
    StoreOrderRequest: {"menu": _MENU, "lines": [{"item": "ca-phe-sua", "quantity": 2}], "customer_id": 7},
    StoredOrder: _STORED_ORDER,
    OrderList: {
        "orders": [_STORED_ORDER | {"cancelled": {"at": "2026-11-22T10:05:00Z", "reason": "The customer left."}}],
        "after": "1207-33",
        "more": False,
    },
    RecommendRequest: {"menu": _MENU, "items": [{"item": "ca-phe-sua", "quantity": 2}], "customer_id": 7, "limit": 3},
    Suggestions: {
        "items": [
            {
                "item": "banh-mi-thit-nuong",
                "name": "Bánh mì thịt nướng",
                "price": 35000,
                "currency": "VND",
                "score": 0.31,
                "reason": {"kind": "with", "item": "ca-phe-sua", "share": 0.4, "text": "Hay gọi cùng Cà phê sữa"},
            }
        ]
    },
    MenuList: {"menus": [{"id": _MENU, "name": "Quán Nhà", "currency": "VND", "languages": ["vi", "en"], "items": 29}]},
    Menu: {
        "id": "tra-chieu",
        "name": {"vi": "Trà Chiều", "en": "Afternoon Tea"},
        "currency": "VND",
        "items": {"tra-sen": {"name": {"vi": "Trà sen", "en": "Lotus tea"}, "price": 30000}},
    },
    AvailabilityRequest: {"available": False},
    PartAvailability: {"menu": _MENU, "item": "ca-phe-sua", "available": False},
    MenuId: {"id": "tra-chieu"},
    MenuDetail: {"menu": {"id": _MENU, "name": "Quán Nhà", "currency": "VND", "languages": ["vi", "en"], "option_groups": {}, "items": {}}},
    TokenRequest: {"secret_id": "kiosk-1", "secret_key": "the key that was shown once"},
    RefreshRequest: {"refresh_token": "eyJhbGciOi…"},
    Tokens: _TOKENS,
    Health: {"status": "ok", "version": "0.2.0"},
    Links: {"documentation": "/api/v1/docs", "openapi": "/api/v1/docs/openapi.json", "page": "/api/v1/try"},
    Readiness: {"checks": {"speech": True, "store": True, "serving": True, "client_menus": True, "menus": True}, "problems": {}},
}
