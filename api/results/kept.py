"""Answers that were given a moment ago, kept in memory as they were sent."""

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from pydantic import BaseModel

from api.metrics import Metrics
from api.results.leaving import unless_left
from api.results.single_flight import SingleFlight
from api.results.tables import Answered
from api.settings import ApiSettings
from core import tasks
from core.errors import RadixError
from core.metadata import Project

_logger = structlog.get_logger()
_MAX_STALE = re.compile(r"(?:^|,)\s*max-stale\s*=\s*(\d{1,9})\s*(?=,|$)", re.IGNORECASE)
# Of the memory for all answers one may have this part.
_PART_OF_ONE = 8
# What an entry takes beside its bytes.
_ENTRY_BYTES = 1_000
# They are of each answer itself, and no part of what its ETag stands for.
_OF_EACH = {"elapsed_ms", "cached", "plan"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer without what is of each: since when it is known to be so, in monotonic seconds."""

    body: bytes
    has_plan: bool
    etag: str
    since: float
    cached: bool


class KeptAnswers:
    """Gives answers again for as long as the state of the data is believed, and makes each once for all who ask."""

    def __init__(self, settings: ApiSettings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seconds = min(settings.data_version_seconds, settings.landing_seconds)
        self._most_stale = settings.result_cache_seconds
        self._most_bytes = settings.answer_memory_bytes if settings.result_cache_seconds else 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._making: SingleFlight[_Kept] = SingleFlight()
        self._renewing: dict[str, asyncio.Task[None]] = {}

    async def answer(
        self,
        request: Request,
        project: Project,
        asked: BaseModel | None,
        make: Callable[[], Coroutine[Any, Any, Answered]],
        *,
        may_be_stale: bool = True,
    ) -> Response:
        """Return the answer to a normalised question of a project, as JSON with its ETag; 304 to whoever has it.

        A caller who sends `Cache-Control: max-stale=60` is given one that was right a minute ago, if there is no newer
        one, while the next is made; where it may be stale at all. When the last caller leaves, the work ends.
        """
        asked_at = time.perf_counter()
        key = _key(request, project, asked)
        now = time.monotonic()
        kept, age = self._kept.get(key), 0.0
        if kept is not None:
            self._kept.move_to_end(key)
            age = now - kept.since
            if age < self._seconds:
                self._metrics.results.labels(source="memory").inc()
                return _response(request, kept, asked_at, 0, is_cached=True)
            if may_be_stale and age - self._seconds <= min(_max_stale(request), self._most_stale):
                self._renew(key, make)
                self._metrics.results.labels(source="stale").inc()
                return _response(request, kept, asked_at, round(age), is_cached=True)
        made = await unless_left(request, self._making.once(key, lambda: self._make(key, make)))
        return made if isinstance(made, Response) else _response(request, made, asked_at, 0, is_cached=made.cached)

    async def close(self) -> None:
        """End what is being made for nobody."""
        await tasks.end(list(self._renewing.values()))

    def _renew(self, key: str, make: Callable[[], Coroutine[Any, Any, Answered]]) -> None:
        if key in self._renewing:
            return

        async def renew() -> None:
            try:
                await self._making.once(key, lambda: self._make(key, make))
            except RadixError as error:
                # Who asks next may find what is kept too old, and is told.
                _logger.info("answer_not_renewed", code=error.code)

        task = asyncio.create_task(renew())
        self._renewing[key] = task
        task.add_done_callback(lambda _: self._renewing.pop(key, None))

    async def _make(self, key: str, make: Callable[[], Coroutine[Any, Any, Answered]]) -> _Kept:
        since = time.monotonic()
        answer = await make()
        data = answer.model_dump_json(by_alias=True, exclude={"meta"})
        origin = answer.meta.model_dump_json(by_alias=True, exclude=_OF_EACH)
        # Both end with a brace; what is of each answer comes before the last two.
        body = f'{data[:-1]},"meta":{origin[:-1]}'.encode()
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        has_plan = "plan" in type(answer.meta).model_fields
        kept = _Kept(body, has_plan, f'W/"{digest}"', since, answer.meta.cached)
        self._keep(key, kept)
        return kept

    def _keep(self, key: str, kept: _Kept) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= _size(before)
        if _size(kept) > self._most_bytes // _PART_OF_ONE:
            return
        self._kept[key] = kept
        self._bytes += _size(kept)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(kept: _Kept) -> int:
    return len(kept.body) + _ENTRY_BYTES


def _key(request: Request, project: Project, asked: BaseModel | None) -> str:
    # Escaped: a value may have a lone surrogate, which pydantic does not write.
    normalised = "" if asked is None else json.dumps(asked.model_dump(), default=str)
    parts = (request.url.path, str(project.id), project.timezone, str(project.week_start), normalised)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _max_stale(request: Request) -> int:
    """Return how old an answer the caller takes (RFC 9111, section 5.2.1.2), in seconds."""
    found = _MAX_STALE.search(request.headers.get("cache-control", ""))
    return int(found[1]) if found else -1


def _response(request: Request, kept: _Kept, asked_at: float, age_s: int, *, is_cached: bool) -> Response:
    headers = {"ETag": kept.etag}
    if age_s:
        headers["Age"] = str(age_s)
    if _has(request, kept.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    elapsed = round((time.perf_counter() - asked_at) * 1000, 3)
    plan = ',"plan":null' if kept.has_plan else ""
    end = f',"elapsed_ms":{elapsed},"cached":{"true" if is_cached else "false"}{plan}}}}}'
    return Response(kept.body + end.encode(), headers=headers, media_type="application/json")


def _has(request: Request, etag: str) -> bool:
    """Say whether the caller has the answer already (RFC 9110, section 13.1.2); weak or not makes no difference."""
    sent = request.headers.get("if-none-match")
    if sent is None:
        return False
    return sent.strip() == "*" or etag[2:] in {each.strip().removeprefix("W/") for each in sent.split(",")}
