"""SAML 2.0: the browser's sign-on that we begin, and the signed answer that it posts."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from onelogin.saml2.authn_request import OneLogin_Saml2_Authn_Request
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from api.federation.claims import Claims
from api.federation.errors import ProviderAnswerInvalidError, ProviderInvalidError
from core.clock import utc_now

_logger = structlog.get_logger()
_NAMES = OneLogin_Saml2_Constants.NSMAP
_LONGEST_SUBJECT = 1_000
# What names somebody by, the better one first: an address may come to be another person's.
_NAMED_BY = (OneLogin_Saml2_Constants.NAMEID_PERSISTENT, OneLogin_Saml2_Constants.NAMEID_EMAIL_ADDRESS)
# What providers call an e-mail address, the most telling first.
_EMAIL = (
    "email",
    "mail",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)
_NAME = (
    "displayName",
    "name",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
)


class ServiceProvider:
    """What we are to one SAML provider: two addresses. Parsing and checking take some milliseconds of a core."""

    def __init__(self, entity_id: str, acs_url: str) -> None:
        self._entity_id = entity_id
        self._acs_url = acs_url

    def metadata(self) -> bytes:
        """Return our own metadata, which the provider is given: with the forms of a NameID that `claims` takes."""
        described = self._described({})
        described["sp"]["NameIDFormat"] = _NAMED_BY[0]
        # Nothing of it is said by the provider.
        settings = OneLogin_Saml2_Settings(described, sp_validation_only=True)
        found: str | bytes = settings.get_sp_metadata()
        # The library knows of one form.
        said = [f"<md:NameIDFormat>{form}</md:NameIDFormat>".encode() for form in _NAMED_BY]
        return (found if isinstance(found, bytes) else found.encode()).replace(said[0], b"\n        ".join(said))

    def request(self, metadata: str, relay_state: str) -> tuple[str, str]:
        """Return where a browser is sent to sign in, and the id of the request."""
        settings = self._settings(metadata)
        request = OneLogin_Saml2_Authn_Request(settings)
        asked = {"SAMLRequest": request.get_request(), "RelayState": relay_state}
        return OneLogin_Saml2_Utils.redirect(settings.get_idp_sso_url(), asked, {}), request.get_id()

    def claims(self, metadata: str, answer: str, request_id: str) -> Claims:
        """Return whom an answer names, when it is one to that request; raises `ProviderAnswerInvalidError`."""
        parts = urlsplit(self._acs_url)
        where = {
            "https": "on" if parts.scheme == "https" else "off",
            "http_host": parts.netloc,
            "script_name": parts.path,
        }
        try:
            response = OneLogin_Saml2_Response(self._settings(metadata), answer)
            response.is_valid(where, request_id, raise_exceptions=True)
            self._demand_that_it_is_meant(response, request_id)
            named: dict[str, str] = response.get_nameid_data()
            attributes: dict[str, list[str]] = response.get_attributes()
        except ProviderAnswerInvalidError:
            raise
        except Exception as error:
            # The library has errors of its own, of lxml and of xmlsec: whatever it is, nobody gets in.
            _logger.warning("saml_response_refused", error=f"{type(error).__name__}: {error}")
            raise ProviderAnswerInvalidError(
                "The SAML response is not signed, meant or dated as it has to be."
            ) from error
        return _claims(named, attributes)

    def _demand_that_it_is_meant(self, response: OneLogin_Saml2_Response, request_id: str) -> None:
        """Demand in the signed assertion what SAML leaves open, and the library with it.

        An assertion that names no request, recipient or audience could be of another visit, or meant for others.
        """
        document: Any = response.get_xml_document()
        confirmed = document.findall("saml:Assertion/saml:Subject/saml:SubjectConfirmation", namespaces=_NAMES)
        if (
            response.encrypted
            or document.get("InResponseTo") != request_id
            or document.get("Destination", self._acs_url) != self._acs_url
            or self._entity_id not in response.get_audiences()
            or not any(self._is_for_this_visit(each, request_id) for each in confirmed)
        ):
            raise ProviderAnswerInvalidError("The SAML response is not meant for this visit.")

    def _is_for_this_visit(self, confirmation: Any, request_id: str) -> bool:
        data = confirmation.find("saml:SubjectConfirmationData", namespaces=_NAMES)
        return (
            data is not None
            and confirmation.get("Method") == OneLogin_Saml2_Constants.CM_BEARER
            and data.get("InResponseTo") == request_id
            and data.get("Recipient") == self._acs_url
            and _instant(data.get("NotOnOrAfter", "")) > utc_now()
        )

    def _settings(self, metadata: str) -> OneLogin_Saml2_Settings:
        return OneLogin_Saml2_Settings(self._described(_parsed(metadata)))

    def _described(self, provider: dict[str, Any]) -> dict[str, Any]:
        return {
            "strict": True,
            "sp": {
                "entityId": self._entity_id,
                "assertionConsumerService": {
                    "url": self._acs_url,
                    "binding": OneLogin_Saml2_Constants.BINDING_HTTP_POST,
                },
                # A request leaves the form to the provider: one that is asked for a form that it is not set to refuses.
                "NameIDFormat": OneLogin_Saml2_Constants.NAMEID_UNSPECIFIED,
            },
            "idp": provider,
            "security": {
                "wantAssertionsSigned": True,
                "wantAttributeStatement": False,
                "rejectDeprecatedAlgorithm": True,
                "requestedAuthnContext": False,
                "allowSingleLabelDomains": True,
                "allowRepeatAttributeName": True,
                # They hold as long as the provider does: what would end in two days is fetched anew by few.
                "metadataValidUntil": "",
                "metadataCacheDuration": "",
            },
        }


def issuer_of(metadata: str) -> str:
    """Return the entity id of the provider that metadata describe; raises `ProviderInvalidError`."""
    return str(_parsed(metadata)["entityId"])


def _parsed(metadata: str) -> dict[str, Any]:
    """Return what is used of a provider's metadata; no address in it is ever asked."""
    try:
        found: dict[str, Any] = OneLogin_Saml2_IdPMetadataParser.parse(metadata).get("idp", {})
    except Exception as error:
        # lxml's errors, and those for what is forbidden in XML.
        raise ProviderInvalidError(f"The metadata cannot be read: {type(error).__name__}.") from error
    address = found.get("singleSignOnService", {}).get("url", "")
    if not found.get("entityId") or not address.startswith(("https://", "http://")):
        raise ProviderInvalidError("The metadata name no entity id, or no address for the binding HTTP-Redirect.")
    if not found.get("x509cert") and not found.get("x509certMulti", {}).get("signing"):
        raise ProviderInvalidError("The metadata hold no certificate that the provider signs with.")
    return found


def _claims(named: dict[str, str], attributes: dict[str, list[str]]) -> Claims:
    subject, form = named["Value"], named.get("Format", "")
    if form == OneLogin_Saml2_Constants.NAMEID_TRANSIENT:
        raise ProviderAnswerInvalidError(
            "The provider names you anew each time (transient): it has to send a persistent NameID, or the address."
        )
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise ProviderAnswerInvalidError("The NameID is empty, or too long.")
    email = _first(attributes, _EMAIL)
    if email is None and form == OneLogin_Saml2_Constants.NAMEID_EMAIL_ADDRESS:
        email = subject
    return Claims(subject=subject, email=email, is_email_proven=email is not None, name=_first(attributes, _NAME))


def _first(attributes: dict[str, list[str]], names: tuple[str, ...]) -> str | None:
    """Return the one value of the first of the attributes; several values name nobody."""
    for name in names:
        values = attributes.get(name)
        if values:
            return values[0] if len(values) == 1 else None
    return None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(OneLogin_Saml2_Utils.parse_SAML_to_time(text), UTC)
    except (TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
