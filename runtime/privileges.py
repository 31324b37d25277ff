"""As whom a program that refuses root can run: PostgreSQL does."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.launch import NOBODY

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Identity:
    """The user of a launched program: `keep`, `namespace`, or a numeric user id as text.

    `traverse` lets a numeric user pass through directories that only root may enter, such as /root.
    """

    user: str = "keep"
    traverse: bool = False

    @property
    def uid(self) -> int | None:
        """The user id that must own the program's files, or None when they are the caller's."""
        return int(self.user) if self.user.isdigit() else None


KEEP = Identity()


def launched(
    command: Sequence[str],
    identity: Identity = KEEP,
    *,
    parent: int = 0,
    death_signal: int = signal.SIGKILL,
) -> list[str]:
    """Return the command line that runs `command` through the launcher, as `identity`.

    With `parent`, the program gets `death_signal` when that process ends.
    """
    wishes = {"parent": parent, "signal": int(death_signal), "user": identity.user, "traverse": identity.traverse}
    return [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(wishes), *command]


def unprivileged_identity(directory: Path, *programs: Path) -> Identity:
    """Choose how a program that refuses root keeps its files in `directory`.

    An ordinary user stays what he is. Root prefers a user namespace: the files stay root's and no other user comes into
    play. Where namespaces are not allowed (most containers), or where `directory` already belongs to another user, the
    program runs as user 65534 and owns `directory`.
    """
    if os.geteuid() != 0:
        return KEEP
    owner = directory.stat().st_uid if directory.exists() else 0
    if owner == 0 and _namespaces_allowed():
        return Identity("namespace")
    uid = owner or NOBODY
    return Identity(str(uid), traverse=not all(reachable(path, uid) for path in (directory.parent, *programs)))


def hand_over(directory: Path, identity: Identity) -> None:
    """Make `directory` and all below it belong to the identity's user."""
    if identity.uid is None or directory.stat().st_uid == identity.uid:
        return
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, identity.uid, identity.uid, follow_symlinks=False)


def _namespaces_allowed() -> bool:
    true = shutil.which("true")
    if sys.platform != "linux" or true is None:
        return False
    probe = launched([true], Identity("namespace"))
    return subprocess.run(probe, check=False, capture_output=True, timeout=10).returncode == 0  # noqa: S603 - own command


def reachable(path: Path, uid: int) -> bool:
    """Say whether another user can get to `path`, and execute or enter it, by the modes of the directories above."""
    for part in [path, *path.parents]:
        facts = part.stat()
        mode = facts.st_mode
        if not (mode & 0o001 or (facts.st_uid == uid and mode & 0o100) or (facts.st_gid == uid and mode & 0o010)):
            return False
    return True
