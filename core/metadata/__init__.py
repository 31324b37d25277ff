"""PostgreSQL: what exists beside the events — projects and their keys."""

from core.metadata.engine import connect, connect_async
from core.metadata.models import ApiKey, Base, EventSchema, Project, WriteKey

__all__ = ["ApiKey", "Base", "EventSchema", "Project", "WriteKey", "connect", "connect_async"]
