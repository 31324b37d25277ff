"""Mails by a real SMTP server, as files, and on a page."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pydantic import SecretStr

from engine.accounts import Installation, Person, new_email


class _Inbox:
    """Takes every mail, or none."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.is_open = True
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if not self.is_open:
            return "451 come back later"
        self.mails.append(envelope)
        return "250 taken"

    def authenticate(self, *asked: Any) -> AuthResult:
        """Let everybody in, and remember him."""
        self.logins.append((asked[-1].login, asked[-1].password))
        return AuthResult(success=True)


@pytest.fixture
def inbox() -> Iterator[tuple[_Inbox, str]]:
    """Return a mail server that wants a password, and its address."""
    inbox = _Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=inbox.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield inbox, f"smtp://radix:p%40ss@127.0.0.1:{port}"
    controller.stop()


async def test_an_invitation_is_mailed(
    install: Callable[..., Any], installation: Installation, owner: Person, inbox: tuple[_Inbox, str]
) -> None:
    box, url = inbox
    update = {"smtp_url": SecretStr(url), "smtp_starttls": "never", "mail_from": "Radix <radix@example.com>"}
    email = new_email()
    async with install(installation.settings.model_copy(update=update)) as mailing:
        client = mailing.browser()
        client.cookies.update(owner.client.cookies)
        client.headers["x-csrf-token"] = owner.client.headers["x-csrf-token"]
        sent = await client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})
        assert sent.status_code == 201, sent.text
        (mail,) = box.mails
        content = mail.content
        assert isinstance(content, bytes)
        assert (mail.rcpt_tos, box.logins) == ([email], [(b"radix", b"p@ss")])
        assert b"Ada invites you to join Shop" in content
        assert b"http://127.0.0.1:7100/#invitation=ri_" in content
        box.is_open = False
        refused = await client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})
        assert (refused.status_code, refused.json()["code"]) == (503, "mail_unavailable")
        # The one of before still works, and the one that nobody got is gone.
        listed = (await client.get(f"{owner.path}/invitations")).json()["invitations"]
        assert [each["id"] for each in listed] == [sent.json()["id"]]


async def test_a_token_is_copied_out_of_a_file_as_it_stands_there(installation: Installation, owner: Person) -> None:
    await owner.client.patch(
        owner.path, json={"name": "Müller & Söhne, die einen langen Namen haben, länger als Zeilen sind"}
    )
    email = new_email()
    await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})
    texts = [path.read_text() for path in installation.mails.glob("*.eml")]
    (token,) = re.findall(r"#invitation=(\S+)$", next(text for text in texts if f"To: {email}" in text), re.MULTILINE)
    joined = {"name": "Bob", "password": "correct horse battery staple", "invitation": token}
    answer = await installation.browser().post("/v1/sign-up", json=joined)
    assert answer.status_code == 204, answer.text


async def test_nothing_goes_to_a_server_in_plain_text_unless_the_settings_say_so(
    install: Callable[..., Any], installation: Installation, owner: Person, inbox: tuple[_Inbox, str]
) -> None:
    box, url = inbox
    for starttls, taken in (("demanded", 0), ("offered", 1)):
        update = {"smtp_url": SecretStr(url), "smtp_starttls": starttls}
        async with install(installation.settings.model_copy(update=update)) as mailing:
            await mailing.browser().post("/v1/password-resets", json={"email": owner.email})
        assert (len(box.mails), len(box.logins)) == (taken, taken)


async def test_a_server_that_is_away_makes_nobody_wait_who_forgot_his_password(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    update = {"smtp_url": SecretStr("smtp://127.0.0.1:1")}
    async with install(installation.settings.model_copy(update=update)) as mailing:
        asked = mailing.browser().post("/v1/password-resets", json={"email": owner.email})
        assert (await asyncio.wait_for(asked, 5)).status_code == 202


async def test_in_development_mails_are_shown_and_are_no_markup(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    hidden = await installation.browser().get("/mails")
    assert "None of them left this machine" not in hidden.text
    name = "<img src=x onerror=alert(1)>"
    await owner.client.patch(owner.path, json={"name": name})
    await owner.client.post(f"{owner.path}/invitations", json={"email": new_email(), "role": "viewer"})
    async with install(installation.settings.model_copy(update={"show_mails": True})) as showing:
        page = (await showing.browser().get("/mails")).text
    assert "&lt;img src=x" in page
    assert "<img" not in page
