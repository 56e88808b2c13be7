#!/usr/bin/env python3
"""Send an alert with nothing but Python's standard library.

    notify.py 'disk full on db-3' severity=critical key=db-3/disk channel='#ops'
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

SERVER = os.environ.get("TOCSIN_SERVER", "http://127.0.0.1:8126")
TOKEN = os.environ.get("TOCSIN_API_TOKEN")


def notify(title, **fields):
    """Send an alert, and return its receipt once it is on disk.

    It is sent again while the daemon restarts or asks to wait; the key makes it count once.
    """
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    request = urllib.request.Request(SERVER + "/v1/alerts", json.dumps({"title": title, **fields}).encode(), headers)
    problem = None
    for attempt in range(10):
        if attempt:
            time.sleep(min(0.2 * 2**attempt, 10))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["alerts"][0]
        except urllib.error.HTTPError as refusal:
            problem = json.load(refusal)
            if refusal.code not in (429, 503):
                break
        except (OSError, ValueError) as failure:  # no daemon, or it ended before the whole answer
            problem = failure
    raise RuntimeError(f"Tocsin does not take the alert: {problem}")


if __name__ == "__main__":
    print(notify(sys.argv[1], **dict(field.split("=", 1) for field in sys.argv[2:])))
