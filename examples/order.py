"""Order by voice over HTTP, with httpx: a recording becomes an order, the order is stored, and what to offer next is asked.

python examples/order.py [recording.wav]
VOICE_URL, VOICE_ID and VOICE_KEY say where the service is and who calls; without them it is a local one and its demo client.
"""

import base64
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

URL = os.environ.get("VOICE_URL", "http://127.0.0.1:8000")
KEYS = {"X-Secret-Id": os.environ.get("VOICE_ID", "demo"), "X-Secret-Key": os.environ.get("VOICE_KEY", "demo-secret")}
RECORDING = Path(__file__).with_name("order-vi.wav")
ATTEMPTS = 5


def ask(client: httpx.Client, method: str, path: str, body: dict[str, Any]) -> Any:
    """Ask, again where the service says that it is busy or that there were too many requests; return the answer's data."""
    for attempt in range(1, ATTEMPTS + 1):
        reply = client.request(method, path, json=body)
        if reply.status_code not in (429, 503) or attempt == ATTEMPTS:
            break
        time.sleep(int(reply.headers["Retry-After"]))
    if reply.is_error:
        failure = reply.json()
        sys.exit(f"{failure['data']['error']}: {failure['msg']} (request {failure['data']['request_id']})")
    return reply.json()["data"]


def main() -> None:
    """Do it."""
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING
    audio = base64.b64encode(recording.read_bytes()).decode()
    with httpx.Client(base_url=f"{URL}/api/v1/voice", headers=KEYS, timeout=60) as client:
        heard = ask(client, "POST", "/speech", {"audio": audio, "language": "vi", "menu": "quan-nha"})
        print(f"Heard: {heard['text']}")

        # In one request: the same with "audio" in place of "text". The order so far goes along, the order after it comes back.
        order = ask(client, "POST", "/order", {"menu": "quan-nha", "text": heard["text"]})
        order = ask(client, "POST", "/order", {"menu": "quan-nha", "text": "thêm một latte ít đường", "lines": order["lines"]})
        for line in order["lines"]:
            options = ", ".join(option["name"] for option in line["options"])
            print(f"{line['quantity']} x {line['name']}{f' ({options})' if options else ''}: {line['total']} {order['currency']}")
        for question in order["questions"]:
            print(f"To be asked: {question['text']}")

        # The id is ours. Sent again after a lost answer, the order is stored once.
        stored = ask(client, "PUT", f"/order/{uuid.uuid4()}", {"menu": "quan-nha", "lines": order["lines"]})
        print(f"Stored: {stored['order_id']}, {stored['total']} {stored['currency']}")

        basket = [{"item": line["item"], "quantity": line["quantity"]} for line in order["lines"]]
        for offer in ask(client, "POST", "/recommend_order", {"menu": "quan-nha", "items": basket, "limit": 3})["items"]:
            print(f"To be offered: {offer['name']}, {offer['price']} {offer['currency']}: {offer['reason']['text']}")


if __name__ == "__main__":
    main()
