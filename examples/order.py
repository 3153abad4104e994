"""Order by voice over HTTP with Python alone: send a recording, store the order, request recommendations.

.venv/bin/python examples/order.py [recording.wav [language]]
VOICE_URL, VOICE_ID and VOICE_KEY are the service and the credentials; the default is a local service and its demo client.
"""

import argparse
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

URL = os.environ.get("VOICE_URL", "http://127.0.0.1:8000") + "/api/v1/voice"
KEYS = {"X-Secret-Id": os.environ.get("VOICE_ID", "demo"), "X-Secret-Key": os.environ.get("VOICE_KEY", "demo-secret")}
RECORDING = Path(__file__).with_name("order-vi.wav")
MORE = {"vi": "thêm một latte ít đường", "en": "and a latte with less sugar"}
ATTEMPTS, TIMEOUT_S = 5, 60


def send(method: str, path: str, body: bytes, content_type: str = "application/json") -> Any:
    """Send a request; return the data of the reply. Retry while the service is overloaded or limits the rate."""
    request = Request(URL + path, body, KEYS | {"Content-Type": content_type}, method=method)  # noqa: S310 - the caller names the service
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310
                return json.load(reply)["data"]
        except HTTPError as error:
            if error.code not in (429, 503) or attempt == ATTEMPTS:
                failure = json.load(error)
                sys.exit(f"{failure['data']['error']}: {failure['msg']} (request {failure['data']['request_id']})")
            time.sleep(int(error.headers["Retry-After"]))
        except URLError as error:
            sys.exit(f"{URL}: {error.reason}")
    return None


def send_json(method: str, path: str, body: dict[str, Any]) -> Any:
    """Send a JSON request."""
    return send(method, path, json.dumps(body).encode())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, default=RECORDING)
    parser.add_argument("language", nargs="?", default="vi")
    arguments = parser.parse_args()

    # The audio is the body, the other fields are the query. `/speech` returns the transcript alone.
    query = urlencode({"menu": "quan-nha", "language": arguments.language})
    order = send("POST", f"/order?{query}", arguments.recording.read_bytes(), "audio/wav")
    print(f"Heard: {order['transcript']['text']}")

    # Send the order so far; the reply is the order after the utterance.
    more = MORE.get(arguments.language, MORE["en"])
    order = send_json("POST", "/order", {"menu": "quan-nha", "text": more, "lines": order["lines"]})
    for line in order["lines"]:
        options = ", ".join(option["name"] for option in line["options"])
        print(f"{line['quantity']} x {line['name']}{f' ({options})' if options else ''}: {line['total']} {order['currency']}")
        for option in line["options"]:
            if option["choice"] is None:  # a question asks which; the first one is taken here
                option["choice"] = option["alternatives"][0]
    for question in order["questions"]:
        print(f"To be asked: {question['text']}")

    # The caller makes the id: a request that is repeated after a lost reply stores the order once.
    stored = send_json("PUT", f"/order/{uuid.uuid4()}", {"menu": "quan-nha", "lines": order["lines"]})
    print(f"Stored: {stored['order_id']}, {stored['total']} {stored['currency']}")

    basket = [{"item": line["item"], "quantity": line["quantity"]} for line in order["lines"]]
    for offer in send_json("POST", "/recommend_order", {"menu": "quan-nha", "items": basket, "limit": 3})["items"]:
        print(f"To be offered: {offer['name']}, {offer['price']} {offer['currency']}: {offer['reason']['text']}")


if __name__ == "__main__":
    main()
