"""PostgreSQL: what exists beside the events — organisations, projects, their keys, and accounts."""

from core.metadata import accounts, identity
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
    "identity",
]
