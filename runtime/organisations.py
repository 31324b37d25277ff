"""Which organisation a command is about."""

from sqlalchemy.orm import Session

from core.metadata.accounts import Organisation
from core.metadata.organisations import first_organisation
from runtime.errors import OperationError


def find_organisation(session: Session, number: int | None) -> Organisation:
    """Return the organisation of a number, the first one without; raises `OperationError`."""
    found = first_organisation(session) if number is None else session.get(Organisation, number)
    if found is None:
        raise OperationError(f"There is no organisation {number}.")
    return found
