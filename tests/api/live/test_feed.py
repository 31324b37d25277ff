"""What one process keeps of a project's latest events."""

from typing import Any, cast

from api.live.feed import Feed
from api.live.reader import Reader


class _Silent:
    """A reader that says nothing to anybody."""

    def say(self, *_: object) -> None:
        """Take what is said."""


def test_what_other_processes_told_is_not_kept_once_it_was_shown() -> None:
    feed: Any = Feed(1, keep_events=10, keep_bytes=1000, keep_s=60)
    feed.make_ready()
    for number in range(5):
        reader = cast("Reader", _Silent())
        feed.join(reader, f"place {number}")
        assert feed.asked() == [f"place {number}"]
        feed.learn(f"place {number}", [])
        feed.leave(reader)
    assert not feed._learnt
    assert not feed.readers
