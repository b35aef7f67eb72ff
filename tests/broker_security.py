"""An authority, certificates and a user of a test's own, for an Apache Kafka with TLS and SASL."""

from __future__ import annotations

import secrets
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_HOST = "127.0.0.1"
_USER = "facestream-of-the-tests"
_MECHANISM = "SCRAM-SHA-512"

#: nothing that is not encrypted, but for the controller's words to itself
_PROPERTIES = """\
listeners=SASL_SSL://{host}:{port},SSL://{host}:{ssl_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=SASL_SSL://{host}:{port},SSL://{host}:{ssl_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SSL
sasl.enabled.mechanisms={mechanism}
listener.name.sasl_ssl.{mechanism_name}.sasl.jaas.config={login} required;
listener.name.ssl.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={identity}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


class BrokerSecurity:
    """SASL_SSL on one port, with a user's password; SSL on another, with a client's certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        server, client = authority.issue_cert(_HOST), authority.issue_cert("a-client")
        self.password = secrets.token_urlsafe(16)
        self.authority = folder / "authority.pem"
        self.stranger = folder / "stranger.pem"
        self._identity = folder / "broker.pem"
        self._certificate, self._key = folder / "client.pem", folder / "client-key.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        trustme.CA().cert_pem.write_to_path(str(self.stranger))
        self._identity.write_bytes(_pkcs8(server) + _chain(server))
        self._certificate.write_bytes(_chain(client))
        self._key.write_bytes(_pkcs8(client))

    @property
    def format_arguments(self) -> list[str]:
        """For Kafka's `StorageTool format`."""
        return ["--add-scram", f"{_MECHANISM}=[name={_USER},password={self.password}]"]

    def properties(self, port: int, ssl_port: int, controller_port: int) -> str:
        """For Kafka's `server.properties`."""
        return _PROPERTIES.format(
            host=_HOST,
            port=port,
            ssl_port=ssl_port,
            controller_port=controller_port,
            mechanism=_MECHANISM,
            mechanism_name=_MECHANISM.lower(),
            login=_LOGIN,
            identity=self._identity,
            authority=self.authority,
        )

    @property
    def by_password(self) -> dict[str, str]:
        """Our settings for the first port."""
        return {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": _MECHANISM,
            "KAFKA_SASL_USERNAME": _USER,
            "KAFKA_SASL_PASSWORD": self.password,
            "KAFKA_SSL_CA_LOCATION": str(self.authority),
        }

    @property
    def by_certificate(self) -> dict[str, str]:
        """Our settings for the second."""
        return {
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_LOCATION": str(self.authority),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(self._certificate),
            "KAFKA_SSL_KEY_LOCATION": str(self._key),
        }


def _chain(certificate: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


def _pkcs8(certificate: trustme.LeafCert) -> bytes:
    """The key in the one form that Java reads."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
