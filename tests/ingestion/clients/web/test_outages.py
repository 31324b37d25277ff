"""Libraries whose collector goes away and comes back while their pages are open."""

from collections.abc import Generator
from contextlib import ExitStack

import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Browser

from runtime.instance import Instance
from runtime.project_keys import create_project
from tests.ingestion.clients.web.libraries import LIBRARIES, MIXPANEL
from tests.ingestion.clients.web.relay import Relay
from tests.ingestion.clients.web.shop import Shop
from tests.ingestion.clients.web.visitor import Visitor
from tests.ingestion.harness import Line, Program

# Nobody tells the page what became of a beacon, so that nothing is sent again.
CERTAIN = [name for name in LIBRARIES if name != "rudderstack-beacons"]
REFUSED = [name for name in CERTAIN if name != "amplitude"]


@pytest.fixture(scope="module")
def full(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Generator[Program]:
    """Run a second collector, whose disk is full."""
    data_dir = tmp_path_factory.mktemp("full")
    own = {"RADIXINSIGHT_DATA_DIR": str(data_dir), "RADIXINSIGHT_COLLECTOR_SPOOL_MIN_FREE_BYTES": str(2**60)}
    collector = Program("ingestion", data_dir / "collector.log", line.collector.environment | own)
    yield collector.start()
    collector.stop()


@pytest.fixture(scope="module")
def visitors(  # noqa: PLR0917 - fixtures
    browser: Browser, shop: Shop, line: Line, full: Program, client: Client, runtime: Instance
) -> Generator[dict[str, Visitor]]:
    """Let a visitor of each library go through the same outages."""
    relays = {name: Relay() for name in LIBRARIES}
    with ExitStack() as contexts:
        visitors: dict[str, Visitor] = {}
        for name, library in LIBRARIES.items():
            context = contexts.enter_context(browser.new_context())
            project = create_project(runtime.database_url, f"outage-{name}", key_name="outage test")
            visitor = visitors[name] = Visitor(context.new_page(), shop, line, client, project)
            relays[name].lead_to(line.collector.port)
            visitor.host = relays[name].url
            visitor.open(library.file)
            visitor.do(library.start)
            visitor.do("track('before')")
        for name, visitor in visitors.items():
            visitor.landed(0 if name == "rudderstack-beacons" else 2)
        for event, port in (("during", None), ("refused", full.port), ("after", line.collector.port)):
            for name, visitor in visitors.items():
                # Amplitude's library waits for 30 s once it was refused.
                relays[name].lead_to(line.collector.port if name == "amplitude" and port == full.port else port)
                visitor.do(f"track('{event}')")
            visitors["segment"].page.wait_for_timeout(1000)
            if event == "refused":
                # A request that is cut off on its way is no refusal, and Mixpanel's library drops what was in it.
                for name in REFUSED:
                    visitors[name].wait_for_complaint("503")
        yield visitors
    for relay in relays.values():
        relay.lead_to(None)


# Mixpanel's library drops what it cannot send to a server that does not answer at all, unless the browser is offline.
@pytest.mark.parametrize("library", [name for name in CERTAIN if name != "mixpanel"])
def test_a_library_sends_again_what_nobody_took(visitors: dict[str, Visitor], library: str) -> None:
    assert _counted(visitors[library], "during") == 1


@pytest.mark.parametrize("library", REFUSED)
def test_a_library_sends_again_what_a_full_collector_refused(visitors: dict[str, Visitor], library: str) -> None:
    assert _counted(visitors[library], "refused") == 1
    assert _counted(visitors[library], "after") == 1
    assert [said for said in visitors[library].complaints if "CORS" in said] == []


def test_a_library_sends_what_was_tracked_offline(visitor: Visitor) -> None:
    visitor.open(MIXPANEL.file)
    visitor.do(MIXPANEL.start)
    visitor.landed(1)
    visitor.page.context.set_offline(True)
    visitor.do("track('offline'); await new Promise((done) => setTimeout(done, 1000));")
    visitor.page.context.set_offline(False)
    assert _counted(visitor, "offline") == 1
    visitor.complaints[:] = [said for said in visitor.complaints if "ERR_INTERNET_DISCONNECTED" not in said]


def _counted(visitor: Visitor, event: str) -> int:
    """Wait for an event of that name and return how many of them count."""
    return [row["event"] for row in visitor.landed_with(event)].count(event)
