"""Sign webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Iterable


def signatures(keys: Iterable[bytes], event: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`: one signature for each key, so that a receiver may know either."""
    signed = b"%s.%d.%s" % (event.encode(), timestamp_s, body)
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys)
