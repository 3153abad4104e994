"""A shop's own page with the element <voice-order>, and the backend that keeps the shop's key: it gives the page tokens of 15 minutes.

.venv/bin/python examples/kiosk.py [port]; the service needs CORS_ORIGINS=http://127.0.0.1:8080
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

URL = os.environ.get("VOICE_URL", "http://127.0.0.1:8000")
KEYS = {"secret_id": os.environ.get("VOICE_ID", "demo"), "secret_key": os.environ.get("VOICE_KEY", "demo-secret")}
PAGE = Path(__file__).with_name("kiosk.html").read_text().replace("http://127.0.0.1:8000", URL)


def fetch_token() -> str:
    """Exchange the key for a token; a real shop checks first that the visitor may order."""
    request = Request(f"{URL}/api/v1/auth/token", json.dumps(KEYS).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=10) as reply:  # noqa: S310 - the service
        tokens = json.load(reply)["data"]
    return json.dumps({"token": tokens["access_token"], "expires_in": tokens["expires_in"]})


class Shop(BaseHTTPRequestHandler):
    """The page, and its token."""

    def do_GET(self) -> None:
        """Send the token or the page."""
        is_token = self.path == "/token"
        try:
            body = fetch_token() if is_token else PAGE
        except URLError as error:
            self.send_error(502, str(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_token else "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Shop).serve_forever()
