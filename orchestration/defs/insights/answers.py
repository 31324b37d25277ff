"""Asks the API what saved insights are answered with, and keeps it in ClickHouse."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from itertools import groupby
from operator import attrgetter
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from clickhouse_connect.driver.client import Client
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.metadata.models import ApiKey
from core.metadata.organisations import token_hash
from core.metadata.projects import create_api_key
from core.metadata.saved import SavedObject

_SECONDS = 120
_KEY_LASTS = timedelta(hours=1)
_LONGEST_ERROR = 500
_MOST_BYTES = 10_000_000
_COLUMNS = ["project_id", "insight_id", "made_at", "version", "question", "answer", "error"]


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

    One that cannot be answered stops none of the others.
    """
    statement = select(SavedObject.project_id, SavedObject.id).where(
        SavedObject.kind == "insight",
        SavedObject.deleted_at.is_(None),
        SavedObject.content["materialised"].as_boolean(),
    )
    wanted = session.execute(statement.order_by(SavedObject.project_id, SavedObject.id)).all()
    made: list[Result] = []
    for project_id, insights in groupby(wanted, key=attrgetter("project_id")):
        with _key(session, project_id) as key:
            made += [_result(api_url, key, project_id, insight.id) for insight in insights]
    rows = [[getattr(each, column) for column in _COLUMNS] for each in made]
    if rows:
        client.insert("results", rows, _COLUMNS, database="insights")
    return made


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
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - see above
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
