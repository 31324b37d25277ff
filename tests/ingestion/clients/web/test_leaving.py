"""What a library still holds when its page is left."""

import pytest

from tests.ingestion.clients.web.libraries import LIBRARIES, MIXPANEL, SNOWPLOW, Library
from tests.ingestion.clients.web.visitor import Visitor

# RudderStack's and Segment's send each event at once unless they are told otherwise: nothing is queued.
QUEUEING = [name for name in LIBRARIES if name not in {"rudderstack", "segment"}]


@pytest.mark.parametrize("library", [LIBRARIES[name] for name in QUEUEING], ids=QUEUEING)
def test_what_is_queued_when_a_page_is_left_arrives_and_counts_once(visitor: Visitor, library: Library) -> None:
    visitor.open(library.file)
    # Mixpanel's sends nothing on leaving while it waits for an answer: the page is left before it asks anything.
    visitor.do(library.start.replace("batch_flush_interval_ms: 500", "batch_flush_interval_ms: 1500"))
    # The libraries put events into their queues a moment after they are told of them.
    visitor.do("track('first'); track('second'); await new Promise((done) => setTimeout(done, 150));")
    visitor.leave()
    # Snowplow's sends one request after another and nothing when a page is left: what is still queued waits in storage.
    if library is not SNOWPLOW:
        assert {"first", "second"} <= {row["event"] for row in visitor.landed(3)}

    # What a library does not know to have arrived it sends again from the next page.
    visitor.open(library.file, "/pricing")
    visitor.do(f"{library.start} track('third'); await new Promise((done) => setTimeout(done, 150));")
    visitor.leave()
    # These two may keep it for the next, Mixpanel's while it waits for an answer to what it sends again.
    if library in {MIXPANEL, SNOWPLOW}:
        visitor.open(library.file, "/thanks")
        visitor.do(library.start)
    names = [row["event"] for row in visitor.landed_with("third")]
    assert [names.count(name) for name in ("first", "second", "third")] == [1, 1, 1]
