"""The embedded ClickHouse: one process owns a chdb-core engine and speaks ClickHouse's HTTP interface.

`python -m runtime.clickhouse` runs it. Only this package loads the engine; everything else is an ordinary client.
"""
