import psycopg

from runtime.instance import Instance


def test_the_application_user_owns_its_database(runtime: Instance) -> None:
    with psycopg.connect(runtime.database_url) as connection:
        connection.execute("create table made_by_a_test (i int)")
        connection.rollback()
