"""The load of `ingest.py`: realistic events over kept connections, from a process of its own that costs little.

    python bench/ingest_load.py PORT WRITE_KEY --connections 8 --batch 100 --requests 1000 [--rate EVENTS_PER_SECOND]

Bodies are made before the clock runs; between two sends only the message ids are written anew, so that no two events
are the same one. Prints a JSON object: what `load.run_all` found, and the acknowledged events.
"""

import argparse
import base64
import json
import random
import sys
import time
from typing import Any

from load import Connection, run_all

_ID_WIDTH = 16
_PLACEHOLDER = "@" * _ID_WIDTH
_TEMPLATES = 24
_NAMES = [f"event {number}" for number in range(40)]
_AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0 Safari/537.36"
    for version in range(110, 131)
]


def event(chance: random.Random) -> dict[str, Any]:
    """Make a track with context as a browser's SDK sends it, about 600 bytes."""
    path = f"/product/{chance.randrange(5000)}"
    return {
        "type": "track",
        "messageId": f"bench-{_PLACEHOLDER}",
        "event": chance.choice(_NAMES),
        "anonymousId": f"{chance.randrange(1, 50_000):032x}",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{chance.randrange(1000):03d}Z",
        "properties": {
            "price": round(chance.uniform(1, 500), 2),
            "currency": "EUR",
            "sku": f"A-{chance.randrange(10**6)}",
            "variant": chance.choice(["red", "green", "blue"]),
        },
        "context": {
            "library": {"name": "analytics.js", "version": "4.1.0"},
            "page": {"path": path, "url": f"https://shop.example{path}", "title": "A product"},
            "userAgent": chance.choice(_AGENTS),
            "locale": "en-GB",
            "screen": {"width": 1920, "height": 1080},
        },
    }


def template(chance: random.Random, size: int) -> tuple[bytearray, list[int]]:
    """Make a body, and say where its message ids stand."""
    events = [event(chance) for _ in range(size)]
    body = bytearray(json.dumps({"batch": events} if size > 1 else events[0], separators=(",", ":")).encode())
    places: list[int] = []
    place = body.find(_PLACEHOLDER.encode())
    while place != -1:
        places.append(place)
        place = body.find(_PLACEHOLDER.encode(), place + 1)
    return body, places


class Sender(Connection):
    """One connection with bodies of its own."""

    def __init__(self, arguments: argparse.Namespace, number: int) -> None:
        super().__init__(arguments.port)
        self.arguments = arguments
        self.number = number

    def prepare(self) -> None:
        """Make the bodies and connect."""
        size = self.arguments.batch
        chance = random.Random(self.number)
        self.templates = [template(chance, size) for _ in range(_TEMPLATES)]
        key = base64.b64encode(f"{self.arguments.write_key}:".encode()).decode()
        path = "/v1/batch" if size > 1 else "/v1/track"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {key}\r\nContent-Length: "
        self.heads = [f"{head}{len(body)}\r\n\r\n".encode() for body, _ in self.templates]
        self.connect()

    def run(self, began: float) -> None:
        """Send this connection's share of the requests; with a rate, each at its moment."""
        arguments = self.arguments
        requests = arguments.requests // arguments.connections
        identifier = (int(began * 1000) & 0xFFFFFFF) << 36 | self.number << 28
        for index in range(requests):
            body, places = self.templates[index % _TEMPLATES]
            for place in places:
                body[place : place + _ID_WIDTH] = b"%016x" % identifier
                identifier += 1
            due = time.perf_counter()
            if arguments.rate:
                moment = began + (index * arguments.connections + self.number) * arguments.batch / arguments.rate
                if moment > due:
                    time.sleep(moment - due)
                due = moment
            self.ask(self.heads[index % _TEMPLATES] + body, due)


def main() -> int:
    """Send and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("write_key")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.0)
    arguments = parser.parse_args()
    senders = [Sender(arguments, number) for number in range(arguments.connections)]
    for sender in senders:
        sender.prepare()
    found = run_all(senders, lambda number, began: senders[number].run(began))
    json.dump(found | {"events": found["succeeded"] * arguments.batch}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
