"""Somebody in a browser, and what of them arrives."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from clickhouse_connect.driver.client import Client
from playwright.sync_api import ConsoleMessage, Page, Request

from runtime.project_keys import ProjectKeys
from tests.ingestion.clients.web.shop import Shop
from tests.ingestion.harness import Line, landed_events, rejects

REFERRER = "https://search.example/"
LANDING = "/pricing?utm_source=news&utm_campaign=may"
_PATIENCE_S, _LOOK_MS, _SETTLING_MS = 60, 50, 250


class Visitor:
    """One tab. `host` is the collector's address, `key` the write key of a project of its own."""

    def __init__(self, page: Page, shop: Shop, line: Line, client: Client, project: ProjectKeys) -> None:
        self.page, self.shop = page, shop
        self.host, self.key = line.collector.url, project.write_key
        self.complaints: list[str] = []
        """What the console says: errors of CORS among it."""
        self.requests: list[Request] = []
        """What the page has asked of anybody."""
        self._line, self._client, self._project_id = line, client, project.id
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - a method of list is refused

    def open(self, library: str, path: str = LANDING) -> None:
        """Open a page of the shop that loads `library`, coming from a search engine."""
        self.page.goto(f"{self.shop.url}{path}", referer=REFERRER)
        self.page.add_script_tag(url=self.shop.script(library))

    def do(self, script: str) -> Any:
        """Run statements on the page, in which `host` and `key` are known, and return what they return."""
        return self.page.evaluate(f"async ([host, key]) => {{ {script} }}", [self.host, self.key])

    @property
    def hosts(self) -> set[str]:
        """Whom the page has asked for anything, beside the shop itself."""
        return {urlsplit(request.url).netloc for request in self.requests} - {urlsplit(self.shop.url).netloc}

    def sent(self) -> list[tuple[str, str]]:
        """Return kind (`ping` is a beacon) and path of what the page has asked of the collector."""
        asked = [(request.resource_type, urlsplit(request.url)) for request in self.requests]
        return [(kind, address.path) for kind, address in asked if address.netloc == urlsplit(self.host).netloc]

    def leave(self) -> None:
        """Go to another page, which loads no library."""
        self.page.goto(f"{self.shop.url}/left")

    def landed(self, count: int) -> list[dict[str, Any]]:
        """Wait for `count` events and return all that count, with their JSON columns decoded."""
        return self._wait(lambda rows: len(rows) >= count)

    def landed_with(self, event: str) -> list[dict[str, Any]]:
        """Wait for an event of that name and return all that count, with their JSON columns decoded."""
        return self._wait(lambda rows: any(row["event"] == event for row in rows))

    def wait_for_complaint(self, text: str) -> None:
        """Wait until the browser has complained of something, and no longer than is patient."""
        deadline = time.monotonic() + _PATIENCE_S
        while not any(text in said for said in self.complaints) and time.monotonic() < deadline:
            self.page.wait_for_timeout(_LOOK_MS)

    def _wait(self, is_there: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_there(self._rows()) and time.monotonic() < deadline:
            self.page.wait_for_timeout(_LOOK_MS)
        # What comes twice may come a little later.
        self.page.wait_for_timeout(_SETTLING_MS)
        self._line.wait_until_shipped()
        rows = self._rows()
        assert rejects(self._client, self._project_id) == []
        for row in rows:
            for name in ("properties", "context", "traits", "traits_once", "traits_increment"):
                row[name] = json.loads(row[name] or "{}")
        return rows

    def _rows(self) -> list[dict[str, Any]]:
        # A library that does not know whether an event arrived sends it again under the same id; that is one event.
        rows = landed_events(self._client, self._project_id)
        return list({row["message_id"]: row for row in reversed(rows)}.values())[::-1]

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)
