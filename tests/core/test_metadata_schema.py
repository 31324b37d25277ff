from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from core import metadata
from core.metadata import Base
from runtime.instance import Instance


def test_the_models_are_what_the_migrations_make(runtime: Instance) -> None:
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
