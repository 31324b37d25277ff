"""Ids for rows that bring none, such that the same row counts once however often it is imported."""

import hashlib
import sqlite3

_CACHE_KIB = 32 * 1024


class Occurrences:
    """Numbers equal rows of a file, and makes ids of that.

    An id is a hash of the project, the mapping's name, the row's bytes and how many equal rows came before it in the
    file. So the same file under another name, packed in another way, or grown by more rows gives the same ids again,
    while two equal rows of one file stay two events. Rows are counted on disk, 20 bytes each: in memory they would take
    100.
    """

    def __init__(self, project_id: int, mapping: str) -> None:
        self._prefix = f"{project_id}\0{mapping}\0".encode()
        # An empty name is a temporary file that SQLite removes by itself.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.executescript(
            f"pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -{_CACHE_KIB};"
            "pragma locking_mode = exclusive; create table seen (row integer primary key, times integer not null);"
            "begin"
        )
        self.made = 0
        """How many ids were made."""

    def id_of(self, row: bytes) -> str:
        """Return the id of this occurrence of a row."""
        self.made += 1
        short = int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little", signed=True)
        (times,) = self._seen.execute(
            "insert into seen values (?, 0) on conflict (row) do update set times = times + 1 returning times", (short,)
        ).fetchone()
        content = self._prefix + b"%d\0" % times + row
        return f"row-{hashlib.blake2b(content, digest_size=16).hexdigest()}"

    def close(self) -> None:
        """Forget everything."""
        self._seen.close()
