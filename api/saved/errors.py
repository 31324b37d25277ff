"""What can go wrong with saved things."""

from datetime import datetime
from typing import ClassVar

from core.errors import RadixError


class VersionMissingError(RadixError):
    """Something would be changed, and it is not said which version of it was seen."""

    status: ClassVar[int] = 428
    code: ClassVar[str] = "version_missing"
    title: ClassVar[str] = "The version that was seen is not given"

    def __init__(self, given: str | None = None) -> None:
        said = "is missing" if given is None else f"is {given[:50]!r}"
        super().__init__(f'The header If-Match {said}: send the ETag that it was read with, as If-Match: "3".')


class ChangedMeanwhileError(RadixError):
    """Somebody else changed it since; `version` is that of now."""

    status: ClassVar[int] = 412
    code: ClassVar[str] = "changed_meanwhile"
    title: ClassVar[str] = "Somebody else changed it meanwhile"

    def __init__(self, seen: int, version: int) -> None:
        super().__init__(
            f"You saw version {seen}, and it is version {version} now. Read it again, and change that.", version=version
        )


class NothingToUndoError(RadixError):
    """It is as it was made, or as the oldest version that is kept."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "nothing_to_undo"
    title: ClassVar[str] = "There is nothing to undo"

    def __init__(self) -> None:
        super().__init__("No version before it is kept: it is as it was made, or as the oldest that there is.")


class InTrashError(RadixError):
    """It is in the trash, out of which it can be taken again."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "in_trash"
    title: ClassVar[str] = "It is in the trash"

    def __init__(self, kind: str, object_id: int, name: str, deleted_at: datetime, project_id: int) -> None:
        super().__init__(
            f"The {kind} {object_id} ({name!r}) is in the trash since {deleted_at:%Y-%m-%d %H:%M} UTC. Whoever may "
            "save in the project (the permission insights:write) takes it out: "
            f"POST /v1/projects/{project_id}/trash/{object_id}/recover.",
            kind=kind,
            object_id=object_id,
        )
