from pathlib import Path

from ingestion.spool.directory import (
    ADOPTED,
    OPEN,
    SEALED,
    WriterDirectory,
    adopt,
    new_id,
    segments,
    sweep,
    try_lock,
    usage,
    writers,
)


def test_an_open_segment_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    directory = WriterDirectory.create(tmp_path)
    (directory.path / f"1-a{OPEN}").write_bytes(b"x")
    assert not adopt(directory.path)
    assert segments(directory.path) == []
    directory.close()


def test_an_open_segment_of_a_dead_writer_is_told_apart_from_what_it_sealed_itself(tmp_path: Path) -> None:
    directory = WriterDirectory.create(tmp_path)
    (directory.path / f"1-b{SEALED}").write_bytes(b"x")
    (directory.path / f"1-a{OPEN}").write_bytes(b"x")
    directory.close()
    assert adopt(directory.path)
    assert [path.name for path in segments(directory.path)] == [f"1-a{ADOPTED}", f"1-b{SEALED}"]


def test_a_dead_writers_directory_goes_once_it_is_empty(tmp_path: Path) -> None:
    directory = WriterDirectory.create(tmp_path)
    directory.close()
    assert adopt(directory.path)
    assert writers(tmp_path) == []


def test_two_writers_never_share_a_directory(tmp_path: Path) -> None:
    first, second = WriterDirectory.create(tmp_path), WriterDirectory.create(tmp_path)
    assert first.path != second.path
    assert writers(tmp_path) == sorted([first.path, second.path])
    first.close()
    second.close()


def test_a_file_is_locked_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.touch()
    with try_lock(path) as first:
        assert first
        with try_lock(path) as second:
            assert not second
    with try_lock(path) as third:
        assert third


def test_a_file_that_is_gone_counts_as_locked_by_somebody_else(tmp_path: Path) -> None:
    with try_lock(tmp_path / "gone") as locked:
        assert not locked


def test_usage_counts_the_segments_of_all_writers(tmp_path: Path) -> None:
    directory = WriterDirectory.create(tmp_path)
    (directory.path / f"0001700000000000-a{SEALED}").write_bytes(b"xxx")
    (directory.path / f"0001700000001000-b{OPEN}").write_bytes(b"yy")
    measured = usage(tmp_path)
    assert (measured.size, measured.segments, measured.oldest_at) == (5, 2, 1_700_000_000.0)
    directory.close()


def test_a_spool_that_was_never_used_is_empty(tmp_path: Path) -> None:
    assert writers(tmp_path / "nowhere") == []
    assert usage(tmp_path / "nowhere").segments == 0


def test_a_file_that_is_none_of_ours_does_not_keep_the_spool_from_being_measured(tmp_path: Path) -> None:
    directory = WriterDirectory.create(tmp_path)
    (directory.path / "x.open").write_bytes(b"xxx")
    assert (usage(tmp_path).size, usage(tmp_path).oldest_at) == (3, None)
    directory.close()


def test_the_directory_of_a_collector_that_was_killed_while_it_made_it_goes_in_the_end(tmp_path: Path) -> None:
    old, empty, new = (tmp_path / f".new-{name}" for name in ("0001700000000000-a", "0001700000000000-b", new_id()))
    for hidden in (old, empty, new):
        hidden.mkdir()
    (old / "lock").touch()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [new]
