import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.spool.directory import ADOPTED, OPEN, SEALED, segments
from ingestion.spool.ledger import Ledger, Page, Tally, read_page
from ingestion.spool.records import Kind


def tally(**events: int) -> Tally:
    """Return counts of events, by project `p<number>`."""
    return Tally({(int(name[1:]), Kind.EVENTS): count for name, count in events.items()})


def only_page(root: Path, suffix: str) -> Path:
    """Return the only page with this suffix."""
    (owner,) = root.iterdir()
    (page,) = segments(owner, suffix)
    return page


def test_a_page_adds_up_what_was_noted_before_it_is_sealed(tmp_path: Path) -> None:
    """After a kill it is read as it is."""
    page = Ledger(tmp_path).page("1-a")
    page.note(tally(p1=100, p2=1))
    page.note(tally(p1=7))
    page.note(Tally({(1, Kind.REJECTS): 3}))
    expected = {(1, Kind.EVENTS): 107, (2, Kind.EVENTS): 1, (1, Kind.REJECTS): 3}
    assert read_page(only_page(tmp_path, OPEN)) == (1, expected, 0)


def test_pages_are_numbered_without_a_gap_where_a_segment_stayed_empty(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first, empty, second = (ledger.page(f"{number}-a") for number in (1, 2, 3))
    for page, count in ((first, 1), (empty, 0), (second, 1)):
        if count:
            page.note(tally(p1=count))
        page.sync()
        page.seal()
    (owner,) = tmp_path.iterdir()
    assert [(path.stem, read_page(path)[0]) for path in segments(owner, SEALED)] == [("1-a", 1), ("3-a", 2)]


def test_a_torn_last_entry_does_not_count(tmp_path: Path) -> None:
    page = Ledger(tmp_path).page("1-a")
    page.note(tally(p1=1))
    page.note(tally(p1=10))
    path = only_page(tmp_path, OPEN)
    path.write_bytes(path.read_bytes()[:-3])
    number, counted, damaged = read_page(path)
    assert (number, counted[1, Kind.EVENTS]) == (1, 1)
    assert damaged > 0


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[[Page], None]:
    """Return what notes two events on a page of which the disk takes half."""

    def note(page: Page) -> None:
        pwrite = os.pwrite

        def write_half(handle: int, data: bytes, offset: int) -> int:
            pwrite(handle, data[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", write_half)
            page.note(tally(p1=2))
            with pytest.raises(OSError, match="No space"):
                page.sync()

    return note


def test_a_page_of_which_the_disk_took_nothing_has_no_number_and_does_not_stay(
    tmp_path: Path, refused: Callable[[Page], None]
) -> None:
    """Pages 1 and 3 would say that page 2 is gone."""
    ledger = Ledger(tmp_path)
    first, second, last = (ledger.page(f"{number}-a") for number in (1, 2, 3))
    first.note(tally(p1=1))
    refused(second)
    second.seal()
    last.note(tally(p1=1))
    (owner,) = tmp_path.iterdir()
    assert [(path.stem, read_page(path)[0]) for path in segments(owner, OPEN, SEALED, ADOPTED)] == [
        ("1-a", 1),
        ("3-a", 2),
    ]


def test_a_page_of_which_the_disk_took_a_part_is_left_as_a_dead_writers(
    tmp_path: Path, refused: Callable[[Page], None]
) -> None:
    """Half an entry at its end is no damage then: the shipper counts what is in the segment."""
    page = Ledger(tmp_path).page("1-a")
    page.note(tally(p1=1))
    refused(page)
    page.seal()
    number, counted, _ = read_page(only_page(tmp_path, ADOPTED))
    assert (number, counted[1, Kind.EVENTS]) == (1, 1)


def test_what_a_full_disk_refuses_is_written_later_and_demanded_before_sealing(
    tmp_path: Path, refused: Callable[[Page], None]
) -> None:
    page = Ledger(tmp_path).page("1-a")
    page.note(tally(p1=1))
    refused(page)
    page.note(tally(p1=4))
    page.sync()
    page.seal()
    assert read_page(only_page(tmp_path, SEALED)) == (1, {(1, Kind.EVENTS): 7}, 0)
