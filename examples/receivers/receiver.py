"""A service that receives Gemini's events from Sluice and verifies them, with Python's standard library alone.

    WEBHOOK_SECRET=whsec_… PORT=3000 python3 receiver.py

It answers 204 to an event, and 401 to what it cannot verify. For a real service, put `verify` into your web framework, and give
it the raw bytes of the body.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1024 * 1024


def read_secret(text: str) -> bytes:
    """The key behind `whsec_…`."""
    return base64.b64decode(text.removeprefix("whsec_"), validate=True)


def verify(key: bytes, headers, body: bytes) -> bool:
    """Whether the request is signed with the key, and not older than five minutes. `body` is what came, byte for byte."""
    webhook_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = hmac.new(key, signed, hashlib.sha256).digest()
    # There are several signatures while a secret is rotated. One that matches is enough.
    for part in headers.get("webhook-signature", "").split():
        version, _, signature = part.partition(",")
        try:
            given = base64.b64decode(signature, validate=True)
        except binascii.Error:
            continue
        if version == "v1" and hmac.compare_digest(given, expected):
            return True
    return False


class Receiver(BaseHTTPRequestHandler):
    # Sluice keeps connections open.
    protocol_version = "HTTP/1.1"
    key = b""

    def do_POST(self):
        length = int(self.headers.get("content-length", "0"))
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(length)
        if not verify(self.key, self.headers, body):
            return self.answer(401)
        # An event can arrive more than once, with the same webhook-id each time.
        print(self.headers["webhook-id"], read_type(body), flush=True)
        return self.answer(204)

    def answer(self, status: int):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def read_type(body: bytes) -> str:
    """Only after `verify`: what was not verified is not worth parsing."""
    try:
        return str(json.loads(body)["type"])
    except (ValueError, KeyError, TypeError):
        return "(not an event of Gemini's form)"


if __name__ == "__main__":
    if "WEBHOOK_SECRET" not in os.environ:
        sys.exit("Set WEBHOOK_SECRET to the signing secret of your target (whsec_…).")
    Receiver.key = read_secret(os.environ["WEBHOOK_SECRET"])
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
