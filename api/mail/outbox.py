"""Sends mails by SMTP; without a server they become files in a directory."""

import asyncio
import secrets
import ssl
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from api.settings import ApiSettings
from core.clock import utc_now
from core.errors import RadixError

_logger = structlog.get_logger()
_SECONDS = 10
# As aiosmtplib takes it: None upgrades where the server offers it.
_STARTTLS = {"demanded": True, "offered": None, "never": False}


class MailUnavailableError(RadixError):
    """The mail server does not take the mail."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "mail_unavailable"
    title: ClassVar[str] = "The mail could not be sent"

    def __init__(self) -> None:
        super().__init__(
            "The mail server did not take the mail; the API's log says why. Try again later.",
            headers={"Retry-After": "30"},
        )


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of plain text."""

    to: str
    subject: str
    text: str


class Outbox:
    """Where mails go."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self.directory = settings.mail_dir or settings.data_dir / "mails"
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, mail: Mail) -> None:
        """Hand a mail in; raises `MailUnavailableError`."""
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = utc_now()
        message["Message-ID"] = make_msgid(domain=urlsplit(self._settings.public_url).hostname)
        message["Auto-Submitted"] = "auto-generated"
        # As it is, and no line broken: who reads the file copies the token out of it.
        message.set_content(mail.text, cte="8bit")
        try:
            if self._settings.smtp_url is None:
                await asyncio.to_thread(self._keep, message)
            else:
                await self._hand_in(message, self._settings.smtp_url.get_secret_value())
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            _logger.warning("mail_unavailable", error=f"{type(error).__name__}: {error}")
            raise MailUnavailableError from error

    def send_soon(self, mail: Mail | Awaitable[Mail]) -> None:
        """Hand a mail in without making anybody wait, not for its being written either.

        How long that takes would tell whether there is such an account.
        """

        async def attempt() -> None:
            try:
                await self.send(mail if isinstance(mail, Mail) else await mail)
            except MailUnavailableError:
                return
            except Exception:  # nobody waits for it, who could be told
                _logger.exception("mail_not_written")

        task = asyncio.create_task(attempt())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Wait for the mails that are on their way."""
        await asyncio.gather(*self._sending)

    def _keep(self, message: EmailMessage) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.directory / f"{utc_now():%Y%m%dT%H%M%S%f}-{time.monotonic_ns()}-{secrets.token_hex(4)}.eml"
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(bytes(message))

    async def _hand_in(self, message: EmailMessage, url: str) -> None:
        parts = urlsplit(url)
        is_tls = parts.scheme == "smtps"
        await aiosmtplib.send(
            message,
            hostname=parts.hostname,
            port=parts.port or (465 if is_tls else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=is_tls,
            start_tls=False if is_tls else _STARTTLS[self._settings.smtp_starttls],
            tls_context=ssl.create_default_context(),
            timeout=_SECONDS,
        )


def mails_in(directory: Path, most: int) -> list[Path]:
    """Return the files of the latest mails, newest first."""
    return sorted(directory.glob("*.eml"), reverse=True)[:most]
