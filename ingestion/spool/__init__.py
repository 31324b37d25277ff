"""Where accepted events wait on disk until ClickHouse has them.

`<data>/spool/<writer>/` belongs to one collector process for its lifetime, which holds the lock on `lock` in it. Its
files are segments: `<id>.open` while it writes, `<id>.sealed` once it doesn't. A shipper takes sealed segments from
every writer, and seals what a dead writer left open. A segment's id is its batch: the token by which ClickHouse knows
that it has it already.
"""
