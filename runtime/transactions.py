"""Work on the metadata database, for commands."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import metadata
from runtime.errors import OperationError

_Result = TypeVar("_Result")


def in_transaction(database_url: str, work: Callable[[Session], _Result]) -> _Result:
    """Return what `work` does in a transaction of its own; raise `OperationError` when the database is away."""
    engine = metadata.connect(database_url)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            return work(session)
    except OperationalError as error:
        raise OperationError(
            "The metadata database does not answer. Start the system with `radixinsight up`."
        ) from error
    finally:
        engine.dispose()
