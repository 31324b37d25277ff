"""Where accepted events wait on disk until ClickHouse has them.

`<data>/spool/<writer>/` belongs to one collector process for its lifetime, which holds the lock on `lock` in it. Its
files are segments: `<id>.open` while it writes, `<id>.sealed` once it doesn't. A shipper takes sealed segments from
every writer, and adopts what a dead writer left open, as `<id>.adopted`: only such a one may end with a write that was
torn. A segment's id is its batch: the token by which ClickHouse knows that it has it already.
"""
