"""The audit log: who changed or read what, when, and from where."""

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.orm import Session

from core.metadata.accounts import AuditEntry
from core.metadata.models import Project


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as the log names him."""

    kind: Literal["user", "api_key", "operator", "link"]
    id: int | None
    name: str
    address: str | None = None
    user_agent: str | None = None


OPERATOR = Actor("operator", None, "radixinsight")
"""Whoever runs the `radixinsight` command on the machine."""


@dataclass(frozen=True, slots=True)
class Target:
    """What something is done to: a kind such as `member`, and its id."""

    kind: str
    id: int | str
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    """What a reader of the log needs to know beside: names, former and new values. Never a secret."""


def entry(
    actor: Actor, action: str, target: Target | None, *, organisation_id: int, project_id: int | None = None
) -> AuditEntry:
    """Return the entry that says so, to be added in the transaction of the change itself."""
    return AuditEntry(**row(actor, action, target, organisation_id=organisation_id, project_id=project_id))


def note_operation(session: Session, project_id: int, action: str, target: Target, by: Actor = OPERATOR) -> None:
    """Add the entry of what the installation itself does to a project, in a blocking session; none of no project."""
    project = session.get(Project, project_id)
    if project is not None:
        session.add(entry(by, action, target, organisation_id=project.organisation_id, project_id=project_id))


def row(
    actor: Actor, action: str, target: Target | None, *, organisation_id: int, project_id: int | None = None
) -> dict[str, Any]:
    """Return the same as the values of its columns."""
    return {
        "organisation_id": organisation_id,
        "project_id": project_id,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "action": action,
        "target_kind": None if target is None else target.kind,
        "target_id": None if target is None else str(target.id),
        "details": {} if target is None else target.details,
        "address": actor.address,
        "user_agent": actor.user_agent,
    }
