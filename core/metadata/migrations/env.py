"""Alembic's entry point: runs on the connection that `core.metadata.migrate` hands over."""  # noqa: INP001 - Alembic runs it by path

from alembic import context

from core.metadata.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
