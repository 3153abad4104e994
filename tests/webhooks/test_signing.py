import base64

import pytest
from pydantic import ValidationError

from settings import Settings, webhook_key
from tests.webhooks.receiver import SECRET, Got
from voice.webhooks.signing import signatures


def test_the_signature_is_that_of_the_specification():
    body = b'{"type":"order.confirmed","timestamp":"2026-01-02T03:04:05Z","data":{"order_id":"o1"}}'
    expected = "v1,nkgmP9bHpd86ZTR/kGMJVSIlFPeLsp/ph/J6sB0H3Ec="
    assert signatures([webhook_key(SECRET)], "msg_1", 1767323045, body) == expected


def test_while_a_secret_is_replaced_receivers_may_know_either():
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    headers = {"webhook-id": "evt_1", "webhook-timestamp": "9999999999"}
    signed = signatures([webhook_key(SECRET), webhook_key(other)], "evt_1", 9999999999, b"{}")
    assert [one[:3] for one in signed.split(" ")] == ["v1,", "v1,"]
    for secret in (SECRET, other):
        alone = signatures([webhook_key(secret)], "evt_1", 9999999999, b"{}")
        assert alone in signed.split(" ")
    assert Got(headers, b"{}").event == "evt_1"


@pytest.mark.parametrize(
    ("webhook", "problem"),
    [
        ({"url": "https://a.example", "secrets": ["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]}, "a secret is whsec_"),
        ({"url": "https://a.example", "secrets": ["whsec_c2hvcnQ="]}, "24 to 64"),
        ({"url": "https://a.example", "secrets": ["whsec_%%%"]}, "base64"),
        ({"url": "https://a.example", "secrets": []}, "at least 1"),
        ({"url": "https://a.example", "secrets": [SECRET] * 3}, "at most 2"),
        ({"url": "ftp://a.example", "secrets": [SECRET]}, "pattern"),
        ({"url": "https://user:password@a.example", "secrets": [SECRET]}, "pattern"),
        ({"url": "https://a.example/#part", "secrets": [SECRET]}, "pattern"),
    ],
)
def test_a_malformed_webhook_stops_the_start(webhook, problem):
    with pytest.raises(ValidationError, match=problem):
        Settings(order_webhooks={"demo": webhook})


def test_a_webhook_of_an_unknown_client_stops_the_start():
    with pytest.raises(ValidationError, match="ORDER_WEBHOOKS: no client moon"):
        Settings(order_webhooks={"moon": {"url": "https://a.example", "secrets": [SECRET]}})
