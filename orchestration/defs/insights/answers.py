"""Asks the API what saved insights are answered with, and keeps it in ClickHouse."""

import json
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from itertools import groupby
from operator import attrgetter
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from clickhouse_connect.driver.client import Client
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.metadata.audit import Actor, Target, note_operation
from core.metadata.models import ApiKey, Project
from core.metadata.organisations import token_hash
from core.metadata.permissions import Permission
from core.metadata.projects import create_api_key
from core.metadata.saved import SavedObject

_SECONDS_OF_INSIGHT = 120
_SECONDS_OF_PROJECT = 600
# It is asked with for no longer, should the run be killed before it ends it.
_KEY_LASTS = timedelta(seconds=_SECONDS_OF_PROJECT + 2 * _SECONDS_OF_INSIGHT)
_JOB = Actor("operator", None, "materialise")
_LONGEST_ERROR = 500
_MOST_BYTES = 10_000_000
_COLUMNS = ["project_id", "insight_id", "made_at", "version", "question", "answer", "error", "is_failure"]
_LAST_MADE = "select project_id, insight_id, max(made_at) from insights.results group by project_id, insight_id"
_FORGET = """
delete from insights.results
where (project_id, insight_id) in {gone:Array(Tuple(UInt32, UInt32))}
"""
# They are sent in the address of a request.
_MOST_FORGOTTEN = 1_000
_NEVER = datetime.min.replace(tzinfo=UTC)
# No proxy of the environment is shown the key.
_DIRECTLY = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one insight: its answer, or why there is none."""

    project_id: int
    insight_id: int
    made_at: datetime
    version: int = 0
    question: str = ""
    answer: str = ""
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Say that it is no answer."""
        return bool(self.error)


def make_results(client: Client, session: Session, api_url: str) -> list[Result]:
    """Ask for all insights that are to be made beforehand, one after the other, and keep what comes of each.

    One that cannot be answered stops none of the others. What is made of a project is kept before the next one's turn,
    which each has for a bounded time: the projects that have waited longest come first, so that whoever saves many that
    take long keeps nobody else's from being made, in this run or in one after it was ended. An answer of before stays
    where there is no new one. Answers of insights that are not to be made any more are forgotten.
    """
    # A run that was killed left them: runs come one after the other.
    _end_keys(session, ApiKey.lent_to == _JOB.name)
    statement = select(SavedObject.project_id, SavedObject.id).where(
        SavedObject.kind == "insight",
        SavedObject.deleted_at.is_(None),
        SavedObject.content["materialised"].as_boolean(),
    )
    wanted = session.execute(statement.order_by(SavedObject.project_id, SavedObject.id)).all()
    of_projects = {
        project_id: [insight.id for insight in insights]
        for project_id, insights in groupby(wanted, key=attrgetter("project_id"))
    }
    last_made = _forget(client, {(project_id, insight_id) for project_id, insight_id in wanted})
    made: list[Result] = []
    for project_id in sorted(of_projects, key=lambda each: last_made.get(each, _NEVER)):
        results = _of_project(session, api_url, project_id, of_projects[project_id])
        rows = [[getattr(each, column) for column in _COLUMNS] for each in results]
        client.insert("results", rows, _COLUMNS, database="insights")
        # What is told of the run takes no answers.
        made += [replace(each, answer="") for each in results]
    return made


def _of_project(session: Session, api_url: str, project_id: int, insight_ids: Sequence[int]) -> list[Result]:
    ends = monotonic() + _SECONDS_OF_PROJECT
    results: list[Result] = []
    with _key(session, project_id) as key:
        if key is None:
            return results
        for insight_id in insight_ids:
            if monotonic() >= ends:
                error = f"The project's other insights took {_SECONDS_OF_PROJECT} seconds: have fewer made beforehand."
                results.append(Result(project_id, insight_id, utc_now(), error=error))
            else:
                results.append(_result(api_url, key, project_id, insight_id))
    return results


def _forget(client: Client, wanted: Collection[tuple[int, int]]) -> dict[int, datetime]:
    """Forget what was made of insights that are not to be made, and return when each project's others were last."""
    last: dict[int, datetime] = {}
    gone: list[tuple[int, int]] = []
    for project_id, insight_id, made_at in client.query(_LAST_MADE).result_rows:
        if (project_id, insight_id) in wanted:
            last[project_id] = max(made_at, last.get(project_id, _NEVER))
        elif len(gone) < _MOST_FORGOTTEN:
            gone.append((project_id, insight_id))
    if gone:
        client.command(_FORGET, parameters={"gone": gone})
    return last


@contextmanager
def _key(session: Session, project_id: int) -> Generator[str | None]:
    """Lend a key that may ask for figures of one project: the API notes what is asked by it.

    None for a project that was removed since it was looked up.
    """
    # It stays until the key is stored.
    project = session.scalar(select(Project.id).where(Project.id == project_id).with_for_update(key_share=True))
    if project is None:
        session.rollback()
        yield None
        return
    scopes: list[Permission] = ["data:query"]
    expires_at = utc_now() + _KEY_LASTS
    key = create_api_key(
        session, project_id, "materialisation", scopes=scopes, expires_at=expires_at, lent_to=_JOB.name
    )
    made = session.scalars(select(ApiKey).where(ApiKey.key_hash == token_hash(key))).one()
    said = Target("api_key", made.id, {"name": made.name, "scopes": scopes, "prefix": made.prefix})
    note_operation(session, project_id, "api_key.created", said, _JOB)
    session.commit()
    try:
        yield key
    finally:
        session.rollback()
        _end_keys(session, ApiKey.key_hash == token_hash(key))


def _end_keys(session: Session, which: ColumnElement[bool]) -> None:
    """Delete keys, which would fill the lists of their projects otherwise; the audit log tells of them."""
    for key in session.scalars(select(ApiKey).where(which).with_for_update()).all():
        said = Target("api_key", key.id, {"name": key.name, "prefix": key.prefix})
        note_operation(session, key.project_id, "api_key.revoked", said, _JOB)
        session.delete(key)
    session.commit()


def _result(api_url: str, key: str, project_id: int, insight_id: int) -> Result:
    made_at = utc_now()
    address = f"{api_url}/v1/projects/{project_id}/saved-insights/{insight_id}/materialisation/next"
    request = Request(address, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - the operator's own address
    try:
        with _DIRECTLY.open(request, timeout=_SECONDS_OF_INSIGHT) as response:
            said = json.loads(response.read())
    except HTTPError as error:
        return Result(project_id, insight_id, made_at, error=_reason(error))
    except (OSError, HTTPException, ValueError) as error:
        return Result(project_id, insight_id, made_at, error=f"The API does not answer: {error}"[:_LONGEST_ERROR])
    answer = json.dumps(said["answer"], ensure_ascii=False, separators=(",", ":"))
    if len(answer) > _MOST_BYTES:
        error = f"Its answer has {len(answer):,} characters: too many to keep. Ask for fewer values or buckets."
        return Result(project_id, insight_id, made_at, error=error)
    return Result(project_id, insight_id, made_at, said["version"], said["question"], answer)


def _reason(error: HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        return f"{problem['code']}: {problem.get('detail') or problem['title']}"[:_LONGEST_ERROR]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return f"The API answered with status {error.code}."


def failures(made: Sequence[Result]) -> list[dict[str, Any]]:
    """Return those that could not be answered."""
    return [
        {"project_id": each.project_id, "insight_id": each.insight_id, "error": each.error}
        for each in made
        if each.error
    ]
