"""A real SAML 2.0 identity provider (pysaml2): it reads our metadata and requests, and signs what it answers."""

import warnings
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

with warnings.catch_warnings():
    # Its own dependencies import what cryptography will move.
    warnings.simplefilter("ignore")
    from saml2 import BINDING_HTTP_REDIRECT
    from saml2.config import IdPConfig
    from saml2.metadata import entity_descriptor
    from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
    from saml2.server import Server
    from saml2.sigver import CryptoBackend
    from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

ENTITY_ID = "https://idp.example.com/metadata"
_AUTHENTICATION = {"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": ENTITY_ID}


class _XmlSec(CryptoBackend):
    """Signs with the library that has wheels, where pysaml2 would start a program."""

    def sign_statement(self, statement: Any, node_name: str, key_file: str, node_id: str) -> str:
        del node_name
        root = etree.fromstring(statement if isinstance(statement, bytes) else str(statement).encode())
        (signed,) = [node for node in root.iter("{*}*") if node.get("ID") == node_id]
        for node in root.iter("{*}*"):
            if node.get("ID"):
                xmlsec.tree.add_ids(node, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(key_file, xmlsec.constants.KeyDataFormatPem)
        template = signed.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
        context.sign(template)
        return etree.tostring(root).decode()


@dataclass
class SamlProvider:
    """The provider. `sign_in` returns the form that its page posts."""

    directory: Path
    server: Any = None

    @property
    def metadata(self) -> str:
        """Return what our installation is given of it."""
        return str(entity_descriptor(self.server.config))

    def trust(self, ours: bytes) -> None:
        """Take our metadata."""
        self.server = _server(self.directory, ours)

    def sign_in(
        self,
        address: str,
        subject: str,
        *,
        name_format: str = NAMEID_FORMAT_PERSISTENT,
        algorithm: str = SIG_RSA_SHA256,
        audience: str | None = None,
        **attributes: str,
    ) -> dict[str, str]:
        """Do what the provider's page does when somebody signs in, and return what it makes his browser post."""
        query = parse_qs(urlsplit(address).query)
        request = self.server.parse_authn_request(query["SAMLRequest"][0], BINDING_HTTP_REDIRECT)
        where = self.server.response_args(request.message)
        answer = self.server.create_authn_response(
            {name: [value] for name, value in attributes.items()},
            userid=subject,
            name_id=NameID(format=name_format, text=subject),
            authn=_AUTHENTICATION,
            sign_assertion=True,
            sign_response=False,
            sign_alg=algorithm,
            digest_alg=DIGEST_SHA256,
            sp_entity_id=audience or where["sp_entity_id"],
            in_response_to=where["in_response_to"],
            destination=where["destination"],
        )
        return {"SAMLResponse": b64encode(str(answer).encode()).decode(), "RelayState": query["RelayState"][0]}


def saml_provider(directory: Path) -> SamlProvider:
    """Return a provider with a new key that trusts nobody yet."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (directory / "idp.key").write_bytes(key.private_bytes(*form))
    (directory / "idp.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    return SamlProvider(directory, _server(directory, None))


def _server(directory: Path, ours: bytes | None) -> Any:
    config = IdPConfig()
    config.load(
        {
            "entityid": ENTITY_ID,
            "crypto_backend": "XMLSecurity",
            "signing_algorithm": SIG_RSA_SHA256,
            "digest_algorithm": DIGEST_SHA256,
            "key_file": str(directory / "idp.key"),
            "cert_file": str(directory / "idp.crt"),
            "metadata": {"inline": [ours.decode()]} if ours else {},
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [("https://idp.example.com/sso", BINDING_HTTP_REDIRECT)],
                    },
                    "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                }
            },
        }
    )
    server: Any = Server(config=config)
    server.sec.crypto = _XmlSec()
    return server
