"""Hold a conversation in a terminal, with Python alone: each line is a turn; the shop answers, asks, and stores the confirmed order.

.venv/bin/python examples/conversation.py [language]
Sentences may also come from a file or a pipe. The exit status is 0 if the order was stored, 2 if the conversation ended before.
VOICE_URL, VOICE_ID and VOICE_KEY are the service and the credentials; the default is a local service and its demo client.
"""

import argparse
import json
import os
import sys
import time
import uuid
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

URL = os.environ.get("VOICE_URL", "http://127.0.0.1:8000") + "/api/v1/voice"
KEYS = {"X-Secret-Id": os.environ.get("VOICE_ID", "demo"), "X-Secret-Key": os.environ.get("VOICE_KEY", "demo-secret")}
MENU = "quan-nha"
GREETINGS = {"vi": "Dạ, mình dùng gì ạ?", "en": "Hello, what would you like?"}
# The state of a conversation: the service keeps none, each request has that of the last reply.
STATE = ("lines", "questions", "changes", "notes")
ATTEMPTS, TIMEOUT_S = 5, 60


def send(method: str, path: str, body: dict[str, Any]) -> Any:
    """Send a JSON request; return the data of the reply. Retry while the service is overloaded or limits the rate."""
    headers = KEYS | {"Content-Type": "application/json"}
    request = Request(URL + path, json.dumps(body).encode(), headers, method=method)  # noqa: S310 - the caller names the service
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


def show(turn: dict[str, Any]) -> None:
    """Print the order, what was not understood, and the shop's sentence."""
    for line in turn["lines"]:
        options = ", ".join(option["name"] for option in line["options"])
        print(f"    {line['quantity']} x {line['name']}{f' ({options})' if options else ''}: {line['total']} {turn['currency']}")
    if turn["unmatched"]:
        print(f"    ? {', '.join(turn['unmatched'])}")
    print(f"< {turn['say']['text']}")


def place(turn: dict[str, Any]) -> None:
    """Store the order. The caller makes the id: a request that is repeated after a lost reply stores the order once."""
    stored = send("PUT", f"/order/{uuid.uuid4()}", {"menu": MENU, "lines": turn["lines"], "notes": turn["notes"]})
    print(f"Stored: {stored['order_id']}, {stored['total']} {stored['currency']}")


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", nargs="?", default="vi", choices=sorted(GREETINGS))
    language = parser.parse_args().language

    state: dict[str, Any] = {name: [] for name in STATE}
    print(f"< {GREETINGS[language]}")
    for text in map(str.strip, sys.stdin):
        if not text:
            continue
        if not sys.stdin.isatty():
            print(f"> {text}")
        turn = send("POST", "/order", {"menu": MENU, "text": text, "reply_language": language, **state})
        show(turn)
        state = {name: turn[name] for name in STATE}
        if turn["status"] == "confirmed":
            place(turn)
            return 0
        if turn["status"] in ("cancelled", "handoff"):  # a person takes over after `handoff`
            break
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(2)
