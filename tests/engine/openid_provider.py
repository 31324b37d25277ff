"""A real OpenID provider (pyop) on a port of this machine: it checks clients, redirects, codes and PKCE."""

import json
import threading
import time
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

with warnings.catch_warnings():
    # Its own dependencies import what cryptography will move.
    warnings.simplefilter("ignore")
    from jwkest.jwk import RSAKey as SigningKey
    from jwkest.jwk import rsa_load
    from pyop.authz_state import AuthorizationState
    from pyop.exceptions import InvalidAuthenticationRequest, InvalidClientAuthentication, OAuthError
    from pyop.provider import Provider
    from pyop.subject_identifier import HashBasedSubjectIdentifierFactory
    from pyop.userinfo import Userinfo

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CLIENT_ID = "radixinsight"
CLIENT_SECRET = "a secret of the provider and us"


@dataclass
class OpenIdProvider:
    """The running provider, who its people are, and what it does wrong when it is told to."""

    issuer: str
    key_file: str
    people: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    redirect_uris: list[str] = field(default_factory=list[str])
    forged: dict[str, Any] = field(default_factory=dict[str, Any])
    """Claims of the ID token that are other ones than they ought to be."""
    forge: Callable[[dict[str, Any]], str] | None = None
    """What signs such a token in the provider's place."""
    provider: Any = None

    def add(self, subject: str, **claims: Any) -> None:
        """Make somebody known; his address counts as proved unless it is said otherwise."""
        self.people[subject] = {"email_verified": True, "name": "Grace Hopper"} | claims

    async def sign_in(self, address: str, subject: str) -> str:
        """Sign somebody in, as the provider's page does, and return the path at which his browser comes back."""
        asked = urlsplit(address)
        assert f"{asked.scheme}://{asked.netloc}{asked.path}" == f"{self.issuer}/authorize"
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{address}&as={subject}")
        assert response.status_code == 302, response.text
        back = urlsplit(response.headers["location"])
        return f"{back.path}?{back.query}"

    def _forged(self, token: str) -> str:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | self.forged
        if self.forge is not None:
            return self.forge(claims)
        key = RSAKey.import_key(Path(self.key_file).read_bytes())
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)

    def answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ["PATH_INFO"]
        status, body, headers = "200 OK", b"", [("Content-Type", "application/json")]
        try:
            if path == "/.well-known/openid-configuration":
                body = json.dumps(self.provider.provider_configuration.to_dict()).encode()
            elif path == "/jwks":
                body = json.dumps(self.provider.jwks).encode()
            elif path == "/authorize":
                query = str(environ["QUERY_STRING"])
                asked, _, subject = query.rpartition("&as=")
                request = self.provider.parse_authentication_request(asked)
                location = self.provider.authorize(request, subject).request(request["redirect_uri"])
                status, headers = "302 Found", [("Location", location)]
            elif path == "/token":
                posted = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
                sent = {"Authorization": environ.get("HTTP_AUTHORIZATION", "")}
                told = self.provider.handle_token_request(posted, sent).to_dict()
                if self.forged or self.forge is not None:
                    told["id_token"] = self._forged(told["id_token"])
                body = json.dumps(told).encode()
            elif path == "/userinfo":
                sent = {"Authorization": environ.get("HTTP_AUTHORIZATION", "")}
                body = self.provider.handle_userinfo_request("", sent).to_json().encode()
            else:
                status = "404 Not Found"
        except (OAuthError, InvalidAuthenticationRequest, InvalidClientAuthentication, ValueError, KeyError) as error:
            status, body = "400 Bad Request", json.dumps({"error": type(error).__name__}).encode()
        start(status, headers)
        return self._in_pieces(body)

    def _in_pieces(self, body: bytes) -> Iterable[bytes]:
        """Send as the network may: what is read first is not all of it."""
        half = len(body) // 2
        yield body[:half]
        time.sleep(0.005)
        yield body[half:]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def openid_provider(key_file: str) -> Generator[OpenIdProvider]:
    """Run a provider; its key is written to a file, as it would have it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    Path(key_file).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    running = OpenIdProvider("", key_file)
    server: WSGIServer = make_server("127.0.0.1", 0, running.answer, handler_class=_Quiet)
    running.issuer = f"http://127.0.0.1:{server.server_port}"
    running.provider = _provider(running)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    server.shutdown()
    server.server_close()
    thread.join()


def _provider(running: OpenIdProvider) -> Any:
    issuer = running.issuer
    about = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    }
    clients = {
        CLIENT_ID: {
            "client_secret": CLIENT_SECRET,
            "redirect_uris": running.redirect_uris,
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
        }
    }
    signing = SigningKey(kid="one", key=rsa_load(running.key_file), alg="RS256", use="sig")
    state = AuthorizationState(HashBasedSubjectIdentifierFactory("salt"))
    https = {
        name: value.replace("http:", "https:") if isinstance(value, str) else value for name, value in about.items()
    }
    provider = Provider(signing, https, state, clients, Userinfo(running.people))
    # It starts over https alone; that it is reached over http is for this test.
    for name, value in about.items():
        provider.configuration_information[name] = value
    return provider


def query_of(address: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
