"""Shapes of requests and answers about the audit log."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.accounts.schemas import Sent


class AuditFilter(Sent):
    """Which entries."""

    action: Annotated[str | None, Field(max_length=100, examples=["member.removed"])] = None
    actor: Annotated[str | None, Field(max_length=320, description="E-mail address, or a key's beginning.")] = None
    project_id: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    since: Annotated[AwareDatetime | None, Field(description="From this instant on.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Before this instant.")] = None


class AuditQuery(AuditFilter):
    """Which entries, and how many of them."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[int | None, Field(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None


class AuditExport(AuditFilter):
    """Which entries, and in which form."""

    format: Literal["csv", "ndjson"] = "ndjson"


class AuditEntryShown(BaseModel):
    """One change, or one access to data."""

    id: int
    at: datetime
    actor_kind: Literal["user", "api_key", "operator", "link"]
    actor_id: int | None
    actor_name: str
    action: str
    project_id: int | None
    target_kind: str | None
    target_id: str | None
    details: dict[str, Any]
    address: str | None
    user_agent: str | None


class AuditPage(BaseModel):
    """Entries, the latest first."""

    entries: list[AuditEntryShown]
    next: Annotated[int | None, Field(description="`before` of the next page; null: these were the last.")]
