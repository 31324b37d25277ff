"""OpenID Connect: the authorization code flow with PKCE, of a provider that describes itself."""

import json
from typing import Annotated, Any

import aiohttp
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, Field, ValidationError

from api.federation.claims import Claims
from api.federation.errors import ProviderAnswerInvalidError, ProviderInvalidError, ProviderUnavailableError
from api.settings import ApiSettings

_logger = structlog.get_logger()
_SECONDS = 10
_MOST_BYTES = 1024 * 1024
_SCOPE = "openid email profile"
# The clocks of two machines are a little apart.
_LEEWAY_SECONDS = 60
# Signed with a key that the provider alone has: with a shared secret everybody who knows it could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")

_Address = Annotated[str, Field(max_length=2000)]


class OpenIdClient(BaseModel):
    """What we are to a provider."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str


class _Configuration(BaseModel):
    issuer: str
    authorization_endpoint: _Address
    token_endpoint: _Address
    jwks_uri: _Address
    userinfo_endpoint: _Address | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


class _Tokens(BaseModel):
    id_token: Annotated[str, Field(max_length=100_000)]
    access_token: Annotated[str, Field(max_length=100_000)]


class OpenIdConnect:
    """Talks with providers, over https alone unless the settings say otherwise."""

    def __init__(self, settings: ApiSettings) -> None:
        self._is_http_allowed = settings.identity_providers_over_http

    async def check(self, issuer: str) -> None:
        """Raise `ProviderUnavailableError` unless a provider of this name describes itself at its address.

        Every method raises `ProviderInvalidError` for an address that is not of https.
        """
        async with _session() as session:
            await self._discover(session, issuer)

    async def address(self, client: OpenIdClient, *, state: str, nonce: str, code_verifier: str) -> str:
        """Return where a browser is sent to sign in; raises `ProviderUnavailableError`."""
        async with _session() as session:
            found = await self._discover(session, client.issuer)
        self._demand_https(found.authorization_endpoint)
        return prepare_grant_uri(
            found.authorization_endpoint,
            client_id=client.client_id,
            response_type="code",
            redirect_uri=client.redirect_uri,
            scope=_SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(code_verifier),
            code_challenge_method="S256",
        )

    async def claims(self, client: OpenIdClient, *, code: str, nonce: str, code_verifier: str) -> Claims:
        """Return whom a code stands for; raises `ProviderUnavailableError` or `ProviderAnswerInvalidError`."""
        async with _session() as session:
            found = await self._discover(session, client.issuer)
            tokens = await self._exchange(session, found, client, code, code_verifier)
            keys = await self._read(session, "GET", found.jwks_uri)
            said = _checked(tokens, keys, client, nonce)
            if "email" not in said and found.userinfo_endpoint is not None:
                headers = {"Authorization": f"Bearer {tokens.access_token}"}
                told = await self._read(session, "GET", found.userinfo_endpoint, headers=headers)
                if told.get("sub") != said["sub"]:
                    raise ProviderAnswerInvalidError("The provider tells of another person than the one who signed in.")
                said = told | said
        email, name = said.get("email"), said.get("name")
        return Claims(
            subject=str(said["sub"]),
            email=email if isinstance(email, str) else None,
            is_email_proven=said.get("email_verified") is True,
            name=name if isinstance(name, str) else None,
        )

    async def _discover(self, session: aiohttp.ClientSession, issuer: str) -> _Configuration:
        address = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        try:
            found = _Configuration.model_validate(await self._read(session, "GET", address))
        except ValidationError as error:
            raise ProviderUnavailableError(f"What is at {address} describes no OpenID provider.") from error
        if found.issuer != issuer:
            raise ProviderUnavailableError(f"What is at {address} calls itself {found.issuer[:200]!r}, not {issuer!r}.")
        return found

    async def _exchange(
        self, session: aiohttp.ClientSession, found: _Configuration, client: OpenIdClient, code: str, code_verifier: str
    ) -> _Tokens:
        body = prepare_token_request(
            "authorization_code", redirect_uri=client.redirect_uri, code=code, code_verifier=code_verifier
        )
        uri, headers, body = ClientAuth(client.client_id, client.client_secret, _method(found, client)).prepare(
            "POST", found.token_endpoint, {"Content-Type": "application/x-www-form-urlencoded"}, body
        )
        told = await self._read(session, "POST", uri, headers=headers, data=body)
        try:
            return _Tokens.model_validate(told)
        except ValidationError as error:
            raise ProviderAnswerInvalidError("The provider gave no token for the code.") from error

    def _demand_https(self, address: str) -> None:
        if not address.startswith(("https://", "http://") if self._is_http_allowed else "https://"):
            raise ProviderInvalidError(
                f"The provider's address {address[:200]} does not begin with https://; for development "
                "RADIXINSIGHT_API_IDENTITY_PROVIDERS_OVER_HTTP lets it be http://."
            )

    async def _read(self, session: aiohttp.ClientSession, method: str, address: str, **options: Any) -> dict[str, Any]:
        """Return a JSON object from an address that the provider named; redirects could lead anywhere."""
        self._demand_https(address)
        try:
            async with session.request(method, address, allow_redirects=False, **options) as response:
                text = bytearray()
                async for piece in response.content.iter_any():
                    text += piece
                    # What is cut is no JSON.
                    if len(text) > _MOST_BYTES:
                        break
                status = response.status
            told = json.loads(text)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            _logger.warning("identity_provider_unavailable", address=address, error=type(error).__name__)
            raise ProviderUnavailableError(f"The provider cannot be read at {address[:200]}.") from error
        if method == "POST" and status == 400:  # noqa: PLR2004 - what RFC 6749 answers to a code that is not good
            raise ProviderAnswerInvalidError("The provider does not know the code: it was used already, or is too old.")
        if status != 200 or not isinstance(told, dict):  # noqa: PLR2004 - HTTP's own
            _logger.warning("identity_provider_refuses", address=address, status=status)
            raise ProviderUnavailableError(f"The provider answers {status} at {address[:200]}.")
        return {str(name): value for name, value in told.items()}


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS))


def _method(found: _Configuration, client: OpenIdClient) -> str:
    if client.client_secret is None:
        return "none"
    basic = "client_secret_basic"
    return basic if basic in found.token_endpoint_auth_methods_supported else "client_secret_post"


def _checked(tokens: _Tokens, keys: dict[str, Any], client: OpenIdClient, nonce: str) -> dict[str, Any]:
    """Return what an ID token says, when it is signed by the provider, for us, for this visit, and holds now."""
    try:
        token = jwt.decode(tokens.id_token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # pyright: ignore[reportArgumentType] - whatever it is, it is looked at
        said = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": client.issuer},
                "aud": {"essential": True, "value": client.client_id},
            },
            params={"nonce": nonce, "client_id": client.client_id, "access_token": tokens.access_token},
        )
        said.validate(leeway=_LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        _logger.warning("id_token_refused", issuer=client.issuer, error=f"{type(error).__name__}: {error}")
        raise ProviderAnswerInvalidError("The ID token is not signed, meant or dated as it has to be.") from error
    if not isinstance(said["sub"], str) or not 0 < len(said["sub"]) <= 255:  # noqa: PLR2004 - OpenID Connect Core, 2
        raise ProviderAnswerInvalidError("The ID token names nobody.")
    return dict(said)
