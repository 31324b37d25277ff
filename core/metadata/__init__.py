"""PostgreSQL: what exists beside the events — organisations, projects, their keys, accounts, and what is saved."""

from core.metadata import accounts, exports, identity, saved
from core.metadata.engine import connect, connect_async
from core.metadata.models import ApiKey, Base, EventSchema, Project, WriteKey

__all__ = [
    "ApiKey",
    "Base",
    "EventSchema",
    "Project",
    "WriteKey",
    "accounts",
    "connect",
    "connect_async",
    "exports",
    "identity",
    "saved",
]
