"""Asks the API what saved insights are answered with, and keeps it in ClickHouse."""

import json
from collections.abc import Generator, Sequence
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
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.metadata.models import ApiKey
from core.metadata.organisations import token_hash
from core.metadata.projects import create_api_key
from core.metadata.saved import SavedObject

_SECONDS_OF_INSIGHT = 120
_KEY_LASTS = timedelta(hours=1)
_SECONDS_OF_PROJECT = 600
_LONGEST_ERROR = 500
_MOST_BYTES = 10_000_000
_COLUMNS = ["project_id", "insight_id", "made_at", "version", "question", "answer", "error"]
_LAST_MADE = "select project_id, max(made_at) from insights.results group by project_id"
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


def make_results(client: Client, session: Session, api_url: str) -> list[Result]:
    """Ask for all insights that are to be made beforehand, one after the other, and keep what comes of each.

    One that cannot be answered stops none of the others. What is made of a project is kept before the next one's turn,
    which each has for a bounded time: the projects that have waited longest come first, so that whoever saves many that
    take long keeps nobody else's from being made, in this run or in one after it was ended.
    """
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
    last_made: dict[int, datetime] = {row[0]: row[1] for row in client.query(_LAST_MADE).result_rows}
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
        for insight_id in insight_ids:
            if monotonic() >= ends:
                error = f"The project's other insights took {_SECONDS_OF_PROJECT} seconds: have fewer made beforehand."
                results.append(Result(project_id, insight_id, utc_now(), error=error))
            else:
                results.append(_result(api_url, key, project_id, insight_id))
    return results


@contextmanager
def _key(session: Session, project_id: int) -> Generator[str]:
    """Lend a key that may ask for figures of one project: the API notes what is asked by it."""
    key = create_api_key(
        session, project_id, "materialisation", scopes=["data:query"], expires_at=utc_now() + _KEY_LASTS
    )
    session.commit()
    try:
        yield key
    finally:
        session.execute(delete(ApiKey).where(ApiKey.key_hash == token_hash(key)))
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
