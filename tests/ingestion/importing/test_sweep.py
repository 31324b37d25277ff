import os
import time
from pathlib import Path

from ingestion.importing.uploads import State, Upload, Uploads

DAY_S = 24 * 3600


def age(path: Path, days: float) -> None:
    """Make a file as old as that."""
    touched_at = time.time() - days * DAY_S
    os.utime(path, (touched_at, touched_at))


def put(uploads: Uploads, state: State, days: float, *, keeps_data: bool) -> str:
    """Put an upload there that was last touched so many days ago."""
    identifier = uploads.begin()
    uploads.part(identifier).write_bytes(b"x")
    upload = Upload(id=identifier, project_id=1, write_key_id=1, name="x", mapping="segment", size=1, state=state)
    uploads.complete(upload)
    if not keeps_data:
        uploads.data(identifier).unlink()
    for path in uploads.directory.glob(f"{identifier}*"):
        age(path, days)
    return identifier


def test_only_what_is_done_or_was_given_up_is_swept(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    kept = [put(uploads, "waiting", 30, keeps_data=True), put(uploads, "running", 30, keeps_data=True)]
    told = put(uploads, "finished", 6, keeps_data=False)
    forgotten = put(uploads, "failed", 8, keeps_data=False)
    left = put(uploads, "finished", 2, keeps_data=True)
    young, old = uploads.begin(), uploads.begin()
    for identifier, days in ((young, 0), (old, 2)):
        uploads.part(identifier).write_bytes(b"x")
        age(uploads.part(identifier), days)
    uploads.sweep()
    assert [upload.id for upload in uploads.waiting()] == kept
    assert uploads.find(told, 1) is not None
    assert uploads.find(forgotten, 1) is None
    assert not uploads.data(left).exists()
    assert (uploads.part(young).exists(), uploads.part(old).exists()) == (True, False)
