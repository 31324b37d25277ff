"""Named sessions: temporary tables, settings and the current database of one client, kept between requests."""

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

from runtime.clickhouse.engine import Engine, Handle, quote
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.settings import ClickHouseServerSettings
from runtime.clickhouse.users import Role, User


class Session:
    """One session; used by one request at a time.

    A read-only user's session holds nothing but the database: nothing else can be changed in it, so its queries run on
    pooled handles and it has no `handle`.
    """

    def __init__(self, handle: Handle | None) -> None:
        self.handle = handle
        self.database = "default"
        self.expires_at = 0.0
        self.is_busy = True
        self._url_settings: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def prepare(self, database: str, settings: Mapping[str, str]) -> Handle:
        """Bring the handle into the state of one request: its database and its URL's settings, and no others'."""
        handle = self.handle
        if handle is None:
            raise RuntimeError("a read-only session has no handle")
        wanted = dict(settings)
        if wanted != self._url_settings:
            self._restore(handle)
            if wanted:
                columns = ", ".join(f"toString(getSetting({quote(name)}))" for name in wanted)
                values = handle.run(f"select [{columns}] format JSONCompactEachRow").bytes()
                before = dict(zip(wanted, _strings(values), strict=True))
                try:
                    handle.apply(wanted)
                except ClickHouseError:
                    # Some of them may have been set before the one that was refused.
                    handle.apply(before)
                    raise
                self._before, self._url_settings = before, wanted
        handle.use(database or self.database)
        return handle

    def forget_url_settings(self) -> None:
        """Undo the URL's settings before a SET of the client's own, which is to last."""
        if self.handle is not None:
            self._restore(self.handle)

    def adopt_database(self, handle: Handle) -> None:
        """Keep what a USE on `handle` has chosen."""
        name = handle.run("select currentDatabase() format TSVRaw").bytes().decode()
        self.database = handle.database = name.removesuffix("\n")

    def _restore(self, handle: Handle) -> None:
        before, self._before, self._url_settings = self._before, {}, {}
        handle.apply(before)


def _strings(row: bytes) -> list[str]:
    values: list[list[str]] = json.loads(row)
    return values[0]


class Sessions:
    """All sessions of this server, by user and session_id."""

    def __init__(self, engine: Engine, settings: ClickHouseServerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str], Session] = {}

    @contextmanager
    def entered(self, user: User, parameters: Mapping[str, str]) -> Generator[Session]:
        """Hold the session that the URL names.

        Raises ClickHouseError 373 while another request holds it, 372 when `session_check=1` and there is none, 374
        for a `session_timeout` that cannot be.
        """
        name = parameters["session_id"]
        if not name:
            raise ClickHouseError(744, "Session id query parameter was provided, but it was empty")
        timeout_s = self._timeout(parameters.get("session_timeout"))
        key = (user.name, name)
        session = self._take(key, user, must_exist=parameters.get("session_check") == "1")
        try:
            yield session
        finally:
            self._put_back(key, session, timeout_s, close=parameters.get("close_session") == "1")

    def _timeout(self, text: str | None) -> int:
        if text is None:
            return self._settings.session_timeout_s
        if not text.isascii() or not text.isdigit():
            raise ClickHouseError(374, f"Invalid session timeout: '{text}'", status=400)
        longest = self._settings.max_session_timeout_s
        if int(text) > longest:
            raise ClickHouseError(
                374,
                f"Session timeout '{text}' is larger than max_session_timeout: {longest}. "
                "Maximum session timeout could be modified in configuration file.",
            )
        return int(text)

    def _take(self, key: tuple[str, str], user: User, *, must_exist: bool) -> Session:
        with self._lock:
            session = self._sessions.get(key)
            if session is not None:
                if session.is_busy:
                    raise ClickHouseError(373, f"Session {key[1]} is locked by a concurrent client")
                session.is_busy = True
                return session
            if must_exist:
                raise ClickHouseError(372, f"Session {key[1]} not found")
            self._make_room()
            session = self._sessions[key] = Session(None)
        if user.role is not Role.READER:
            try:
                session.handle = self._engine.open()
            except ClickHouseError:
                with self._lock:
                    del self._sessions[key]
                raise
        return session

    def _make_room(self) -> None:
        if len(self._sessions) < self._settings.max_sessions:
            return
        idle = [(session.expires_at, key) for key, session in self._sessions.items() if not session.is_busy]
        if not idle:
            raise ClickHouseError(202, f"Too many sessions: {len(self._sessions)} are in use")
        self._end(min(idle)[1])

    def _put_back(self, key: tuple[str, str], session: Session, timeout_s: int, *, close: bool) -> None:
        with self._lock:
            session.is_busy = False
            session.expires_at = time.monotonic() + timeout_s
            if close:
                self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        session = self._sessions.pop(key, None)
        if session is not None and session.handle is not None:
            with suppress(ClickHouseError):
                self._engine.close(session.handle)

    def end_expired(self) -> None:
        """End the sessions whose time is over; to be called every second or so."""
        now = time.monotonic()
        with self._lock:
            over = [key for key, session in self._sessions.items() if not session.is_busy and session.expires_at < now]
            for key in over:
                self._end(key)

    def end_all(self) -> None:
        """End every session that no request holds."""
        with self._lock:
            for key in [key for key, session in self._sessions.items() if not session.is_busy]:
                self._end(key)
