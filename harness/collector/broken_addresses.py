"""Addresses that a service cannot send to: for faults that belong to its DSN and not to a request."""

from __future__ import annotations

import socket
import ssl
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.collector.faults import Fault, InvalidFault
from harness.wire.dsn import Dsn

_NOWHERE = "sentry.invalid"
"""A host that no name server knows, by RFC 2606."""
_VALIDITY = timedelta(days=1)


class BrokenAddresses:
    """Holds what makes addresses fail, for as long as they must.

    Args:
        host: Where the collector listens.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._held = ExitStack()
        self._unheard: socket.socket | None = None

    def dsn(self, sound: Dsn, fault: Fault, tls_port: int | None) -> Dsn:
        """Replace the address of a DSN.

        Args:
            sound: The DSN.
            fault: What is wrong with the address.
            tls_port: Where the collector listens with a self-signed certificate; None if it does not.

        Returns:
            The DSN with key and project as they were.

        Raises:
            InvalidFault: The fault belongs to requests.
        """
        match fault.kind:
            case "connection-refused":
                return replace(sound, port=self._port_without_listener())
            case "dns-failure":
                return replace(sound, host=_NOWHERE, port=None)
            case "wrong-certificate" if tls_port is not None:
                return replace(sound, scheme="https", port=tls_port)
        raise InvalidFault(f"{fault}: this befalls requests and is no fault of an address")

    def close(self) -> None:
        """Let go of everything."""
        self._held.close()
        self._unheard = None

    def _port_without_listener(self) -> int:
        if self._unheard is None:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            # Bound, so that nobody else can have the port; but it never listens.
            self._unheard = self._held.enter_context(socket.socket(family))
            self._unheard.bind((self._host, 0))
        port: int = self._unheard.getsockname()[1]
        return port


def self_signed_context(host: str) -> ssl.SSLContext:
    """TLS with a certificate that nobody has reason to trust, made anew.

    Args:
        host: The name that it is made out to.

    Returns:
        The context of a server.

    Raises:
        InvalidFault: `cryptography` is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise InvalidFault(
            "the fault 'wrong-certificate' needs cryptography: pip install 'sentry-verification-harness[faults]'"
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALIDITY)
        .not_valid_after(now + _VALIDITY)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="sentry-harness-") as directory:
        pem = Path(directory, "server.pem")
        pem.touch(mode=0o600)
        pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(pem)
    return context
