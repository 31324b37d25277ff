"""Becomes another program, with its end tied to its parent's and, where asked, as another user.

Run as `python -I -S launch.py '<json>' program argument…`: it only uses the standard library and takes 10 ms. It is a
program of its own because the kernel forgets the parent-death signal when the user changes, and because code between
fork and exec is not safe in a process with threads. The JSON object has

- `parent`: process id whose death ends the program (Linux; elsewhere the guard sees to it),
- `signal`: the signal that this death sends,
- `user`: `keep`, `namespace` (root outside, user 65534 inside a user namespace of its own) or a numeric user id,
- `traverse`: keep the one capability that lets the numeric user walk through other users' directories.
"""

import ctypes
import json
import os
import sys

NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """Apply the wishes of the first argument and execute the rest."""
    wishes = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if os.getpid() != os.getsid(0):
        os.setsid()
    user = wishes["user"]
    if user == "namespace":
        _enter_user_namespace()
    elif user != "keep":
        _become(int(user), traverse=bool(wishes.get("traverse")))
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, int(wishes["signal"]), 0, 0, 0)
        # The parent may have died before the line above; then nobody sends the signal.
        if wishes["parent"] and os.getppid() != wishes["parent"]:
            sys.exit(f"parent process {wishes['parent']} is gone")
    os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line


def _call(function: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def _enter_user_namespace() -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOBODY} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{NOBODY} {outer_gid} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _become(uid: int, *, traverse: bool) -> None:
    if traverse:
        _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.umask(0o077)
    if traverse:
        # Containers usually leave out the first and have the second.
        try:
            _keep_only(_CAP_DAC_READ_SEARCH)
        except OSError:
            _keep_only(_CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _call("capset", ctypes.byref(header), ctypes.byref(data))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


if __name__ == "__main__":
    main()
