"""People who use the API with accounts of their own."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI

from api.settings import ApiSettings

PASSWORD = "correct horse battery staple"
_addresses = count(1)


@dataclass
class Person:
    """Somebody who signed in: a browser that sends the cookie and proves itself."""

    client: httpx.AsyncClient
    address: str
    email: str
    id: int
    organisation: int

    @property
    def path(self) -> str:
        """Return the address of the organisation."""
        return f"/v1/organisations/{self.organisation}"


@dataclass
class Installation:
    """The running API, and the mails that it wrote."""

    app: FastAPI
    settings: ApiSettings
    mails: Path

    def browser(self, **headers: str) -> httpx.AsyncClient:
        """Return a browser of its own, at an address of its own."""
        return self.browser_at(new_address(), **headers)

    def browser_at(self, address: str, **headers: str) -> httpx.AsyncClient:
        """Return a browser of its own at an address."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 1234))
        return httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)

    def last_mail(self, to: str) -> str:
        """Return the text of the latest mail to somebody."""
        read = [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(self.mails.glob("*.eml"))]
        return str([mail for mail in read if mail["to"] == to][-1].get_content())

    def token_mailed(self, to: str) -> str:
        """Return the token of the link in it."""
        found = re.search(r"#[a-z-]+=(\w+)", self.last_mail(to))
        assert found is not None
        return found[1]

    async def browser_of_new_password(self, email: str, password: str) -> httpx.AsyncClient:
        """Return a browser in which somebody chose a new password by a mailed link."""
        browser = self.browser()
        await browser.post("/v1/password-resets", json={"email": email})
        await self.app.state.resources.outbox.close()
        body = {"token": self.token_mailed(email), "password": password}
        assert (await browser.post("/v1/password-resets/complete", json=body)).status_code == 204
        return browser


def new_address() -> str:
    """Return an address that nobody asked from yet."""
    return f"10.{uuid4().bytes[0]}.{uuid4().bytes[0]}.{next(_addresses) % 250}"


def new_email() -> str:
    """Return an address that nobody has."""
    return f"{uuid4().hex[:12]}@example.com"


async def signed_up(
    installation: Installation, invitation: str, email: str, organisation: int, **headers: str
) -> Person:
    """Let somebody accept an invitation, as a browser does."""
    address = new_address()
    client = installation.browser_at(address, **headers)
    body = {"invitation": invitation, "name": "Ada", "password": PASSWORD}
    response = await client.post("/v1/sign-up", json=body)
    assert response.status_code == 204, response.text
    me = (await client.get("/v1/me")).json()
    client.headers["x-csrf-token"] = me["csrf_token"]
    return Person(client, address, email, me["id"], organisation)
