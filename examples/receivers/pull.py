"""A service that fetches Gemini's events from Sluice and verifies them, with Python's standard library alone.

    SLUICE_API=http://127.0.0.1:8081 SLUICE_API_KEY=sluice_… TARGET_ID=tgt_… WEBHOOK_SECRET=whsec_… python3 pull.py

It needs no open port. A key with the scope `target:tgt_…` is enough. Ctrl-C ends it. What it has pulled and did not report is due
again when its lease ends.
"""

import base64
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

from receiver import read_secret, read_type, verify

WAIT_SECONDS = 25
LEASE_SECONDS = 45
PAUSE_SECONDS = 2


def call(verb: str, body: dict) -> dict:
    """POST to a verb of the target. The answer of a pull can take WAIT_SECONDS."""
    request = urllib.request.Request(
        f"{os.environ['SLUICE_API']}/v1/targets/{os.environ['TARGET_ID']}:{verb}",
        data=json.dumps(body).encode(),
        headers={
            "authorization": f"Bearer {os.environ['SLUICE_API_KEY']}",
            "content-type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS + 15) as answer:
        return json.load(answer)


def handle(key: bytes, delivery: dict) -> dict:
    """What a service does with an event. Returns what is reported of it."""
    started = time.monotonic()
    body = base64.b64decode(delivery["body"])
    if verify(key, delivery["headers"], body):
        # An event can arrive more than once, with the same webhook-id each time.
        print(delivery["headers"]["webhook-id"], read_type(body), flush=True)
        result = {"status_code": 204}
    else:
        result = {"status_code": 401, "response_excerpt": "the signature is not ours"}
    return {
        "token": delivery["token"],
        "duration_ms": (time.monotonic() - started) * 1000,
        **result,
    }


def pull_once(key: bytes):
    wanted = {"max": 10, "wait_seconds": WAIT_SECONDS, "lease_seconds": LEASE_SECONDS}
    deliveries = call("pull", wanted)["deliveries"]
    if deliveries:
        call("ack", {"results": [handle(key, delivery) for delivery in deliveries]})


def main():
    missing = [
        name
        for name in ("SLUICE_API", "SLUICE_API_KEY", "TARGET_ID", "WEBHOOK_SECRET")
        if name not in os.environ
    ]
    if missing:
        sys.exit(f"Set {', '.join(missing)}.")
    key = read_secret(os.environ["WEBHOOK_SECRET"])
    print("pulling", flush=True)
    while True:
        try:
            pull_once(key)
        except urllib.error.HTTPError as error:
            # Without a key, or without the target, nothing will come. Anything else may pass.
            if error.code in (400, 401, 403, 404, 409):
                sys.exit(f"The relay answered {error.code}: {error.read().decode()}")
            time.sleep(PAUSE_SECONDS)
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
