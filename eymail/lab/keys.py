"""Keys and certificates of one lab: for SSH, for changes of the DNS, a CA and its leaves."""

from __future__ import annotations

import base64
import datetime
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_LIFE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class SshKey:
    """An Ed25519 key pair in OpenSSH's formats."""

    private: str
    public: str


def ssh_key() -> SshKey:
    """A new key pair."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
    public = key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)
    return SshKey(private.decode(), public.decode())


@dataclass(frozen=True)
class TsigKey:
    """A shared secret, in base64, that signs DNS messages (RFC 8945)."""

    name: str
    algorithm: str
    secret: str = field(repr=False)

    @property
    def file(self) -> str:
        """As ``tsig-keygen`` writes it."""
        return f'key "{self.name}" {{\n\talgorithm {self.algorithm};\n\tsecret "{self.secret}";\n}};\n'


def tsig_key(name: str) -> TsigKey:
    """A new key."""
    return TsigKey(name, "hmac-sha256", base64.b64encode(secrets.token_bytes(32)).decode())


class Authority:
    """A certification authority for the life of a lab. ``pem`` is its certificate."""

    def __init__(self) -> None:
        from cryptography.x509 import BasicConstraints

        self._key = _new_key()
        self._name = _name("eymail lab")
        builder = _builder(self._name, self._name, self._key)
        builder = builder.add_extension(BasicConstraints(ca=True, path_length=0), critical=True)
        self.pem = _pem(_signed(builder, self._key))

    def issue(self, *names: str) -> tuple[str, str]:
        """A certificate for these DNS names, and its key, both PEM."""
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.x509 import DNSName, SubjectAlternativeName

        key = _new_key()
        builder = _builder(_name(names[0]), self._name, key)
        alternatives = SubjectAlternativeName([DNSName(name) for name in names])
        certificate = _signed(builder.add_extension(alternatives, critical=False), self._key)
        private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        return _pem(certificate), private.decode()


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    from cryptography.x509 import Name, NameAttribute
    from cryptography.x509.oid import NameOID

    return Name([NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    from cryptography.x509 import CertificateBuilder, random_serial_number

    now = datetime.datetime.now(datetime.UTC)
    return (
        CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives.hashes import SHA256

    return builder.sign(key, SHA256())


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()
