"""Which events were sent before, as far as that can be seen from here."""

_REMEMBERED = 100_000


class RecentIds:
    """Remembers the message ids of the last 100,000 to 200,000 events: enough to see a client that sends again.

    Only for a counter (0.1 µs an event, 20 MB). What counts once is decided in the models, exactly and over all time.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._size = 0
        self._newer: dict[int, set[str]] = {}
        self._older: dict[int, set[str]] = {}

    def count_repeats(self, project_id: int, message_ids: list[str]) -> int:
        """Remember a project's ids and return how many of them had been there, in this list or before."""
        newer = self._newer.setdefault(project_id, set())
        older = self._older.get(project_id)
        long_ago = 0
        if older and not older.isdisjoint(message_ids):
            long_ago = len({message_id for message_id in message_ids if message_id in older} - newer)
        before = len(newer)
        newer.update(message_ids)
        added = len(newer) - before
        self._size += added
        if self._size > self._remembered:
            self._older, self._newer, self._size = self._newer, {}, 0
        return len(message_ids) - added + long_ago
