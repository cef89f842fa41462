"""A telephone company that signs its calls: certificates with a TNAuthList (RFC 8226), PASSporTs (RFC 8225, 8588)."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID, ObjectIdentifier

TN_AUTH_LIST = ObjectIdentifier("1.3.6.1.5.5.7.1.26")
SERVICE_PROVIDER = bytes.fromhex("3008a006160437303941")
"""A TNAuthList of one service provider code, `709A`, in DER."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: who trusts it trusts the companies it certified."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """Its certificate, to be trusted by."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True, slots=True)
class Signer:
    """A company with its certificate at an address."""

    key: ec.EllipticCurvePrivateKey
    url: str

    def identity(self, caller: str, called: str, level: str, *, age_s: int = 0) -> bytes:
        """The Identity header for a call of `caller` to `called` (digits), as signed so long ago."""
        payload: dict[str, object] = {
            "attest": level,
            "dest": {"tn": [called]},
            "iat": int(time.time()) - age_s,
            "orig": {"tn": caller},
            "origid": "3a47ca23-d7ab-446b-821d-33d5deedbed4",
        }
        header: dict[str, object] = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.url}
        signed = f"{encoded(header)}.{encoded(payload)}"
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return f"Identity: {signed}.{signature};info=<{self.url}>;alg=ES256;ppt=shaken".encode()


def new_authority(name: str) -> Authority:
    """An authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(name, name, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return Authority(key, builder.sign(key, hashes.SHA256()))


@contextmanager
def certified(*authorities: Authority) -> Iterator[list[Signer]]:
    """A signer by each authority, whose certificates are served on loopback meanwhile."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in authorities]
    pages = {
        f"/{number}.pem": _certified(authority, key)
        for number, (authority, key) in enumerate(zip(authorities, keys, strict=True))
    }

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield [
            Signer(key, f"http://127.0.0.1:{server.server_port}{page}") for key, page in zip(keys, pages, strict=True)
        ]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certified(authority: Authority, key: ec.EllipticCurvePrivateKey) -> bytes:
    subject = "SHAKEN 709A"
    builder = _certificate(subject, _name_of(authority.certificate), key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, SERVICE_PROVIDER), critical=False)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _certificate(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _name_of(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def encoded(value: Mapping[str, object]) -> str:
    """A part of a PASSporT: compact, its names in order (RFC 8225 section 9)."""
    return _base64url(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
