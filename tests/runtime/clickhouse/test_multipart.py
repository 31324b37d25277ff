from collections.abc import Iterator

import pytest

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.multipart import parts

KIND = "multipart/form-data; boundary=xx"
BODY = (
    b"preamble\r\n--xx\r\n"
    b'Content-Disposition: form-data; name="query"\r\n\r\nselect 1\r\n--xx\r\n'
    b'Content-Type: text/plain\r\ncontent-disposition: form-data; name="t"; filename="t.tsv"\r\n\r\n'
    b"1\r\n--x\r\n2\r\n--xx--\r\n"
)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 3, 17, 10_000])
def test_parts_are_told_apart_wherever_the_body_is_cut(size: int) -> None:
    found = [(part.name, part.is_file, b"".join(part.pieces)) for part in parts(cut(BODY, size), KIND)]
    assert found == [("query", False, b"select 1"), ("t", True, b"1\r\n--x\r\n2")]


def test_a_part_that_nobody_reads_is_stepped_over() -> None:
    assert [part.name for part in parts(cut(BODY, 5), KIND)] == ["query", "t"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY, "multipart/form-data"),
        (BODY[:-10], KIND),
        (b"--xx\r\nX: 1\r\n\r\nabc\r\n--xx--", KIND),
        (b"--xx\r\n" + b"X: 1\r\n" * 10_000, KIND),
    ],
)
def test_a_broken_body_is_an_error(body: bytes, kind: str) -> None:
    with pytest.raises(ClickHouseError):
        _ = [list(part.pieces) for part in parts(cut(body, 1000), kind)]
