"""How to reach Kafka: one set of settings for confluent-kafka (librdkafka) and for Faust."""

from __future__ import annotations

import logging
import re
import ssl
import time
from pathlib import Path
from typing import Any, Literal

from confluent_kafka import KafkaError
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import DEFAULT_PREFIX, MAX_MESSAGE_BYTES, Topics

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
#: those that librdkafka and Faust both speak with a user name and a password
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

DEFAULT_PORT = 9092
#: the embedded broker's long poll does not wake on new data: it is asked often instead
EMBEDDED_FETCH_WAIT_MS = 10
#: where a caller waits; each time costs the broker and who asks a tenth of a millisecond of a core
EMBEDDED_EAGER_FETCH_WAIT_MS = 2
#: Kafka allows 249 characters of these in a topic's name; the rest of ours is short
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,200}")
_SERVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@,\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
#: the same error of a client is logged again only after so long
_SAME_ERROR_S = 10.0

log = logging.getLogger(__name__)


class KafkaSettings(BaseSettings):
    """Read from the environment by its fields' names (`KAFKA_BOOTSTRAP_SERVERS`, …).

    Raises pydantic's `ValidationError`, which says which variable does not fit the others.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    kafka_bootstrap_servers: str = f"localhost:{DEFAULT_PORT}"
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = None
    kafka_ssl_certificate_location: Path | None = None
    kafka_ssl_key_location: Path | None = None
    #: said by whoever starts the embedded broker, to its own children; never guessed
    kafka_embedded: bool = False
    topic_prefix: str = DEFAULT_PREFIX
    #: comma-separated names and patterns; None: `face.replies` and `face.replies.*`
    reply_topics: str | None = None

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _are_servers(cls, value: str) -> str:
        servers = [_with_port(part.strip()) for part in value.split(",") if part.strip()]
        if not servers:
            raise ValueError("names no server: host:port, several with commas")
        return ",".join(servers)

    @field_validator("topic_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if not _PREFIX.fullmatch(value):
            raise ValueError("letters, digits, '.', '_' and '-' only, at most 200 of them")
        return value

    @field_validator(
        "kafka_ssl_ca_location", "kafka_ssl_certificate_location", "kafka_ssl_key_location"
    )
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value} is no file")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> KafkaSettings:
        for group, name in (("SASL", "kafka_sasl_"), ("SSL", "kafka_ssl_")):
            given = [
                field.upper()
                for field in type(self).model_fields
                if field.startswith(name) and getattr(self, field) is not None
            ]
            if given and group not in self.kafka_security_protocol.split("_"):
                raise ValueError(
                    f"{', '.join(given)} would not be used: KAFKA_SECURITY_PROTOCOL is "
                    f"{self.kafka_security_protocol}, which has no {group}"
                )
        if self.uses_sasl:
            needed = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
            missing = [field.upper() for field in needed if getattr(self, field) is None]
            if missing:
                raise ValueError(f"{self.kafka_security_protocol} needs {', '.join(missing)}")
        if (self.kafka_ssl_certificate_location is None) != (self.kafka_ssl_key_location is None):
            raise ValueError(
                "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION go together"
            )
        if self.kafka_embedded and self.kafka_security_protocol != "PLAINTEXT":
            raise ValueError("KAFKA_EMBEDDED: the embedded broker speaks PLAINTEXT alone")
        return self

    @property
    def uses_sasl(self) -> bool:
        return self.kafka_security_protocol.startswith("SASL_")

    @property
    def uses_ssl(self) -> bool:
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)

    def librdkafka(self, **more: Any) -> dict[str, Any]:
        """A confluent-kafka configuration. `more` has librdkafka's own names and wins."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            # a small message that follows another at once would wait for the first one's answer
            "socket.nagle.disable": True,
            # librdkafka would print each refused connection, twenty a second in an outage
            "log_level": 2,
            "error_cb": _ErrorLog(),
        }
        if self.uses_sasl:
            assert self.kafka_sasl_password is not None
            config["sasl.mechanism"] = self.kafka_sasl_mechanism
            config["sasl.username"] = self.kafka_sasl_username
            config["sasl.password"] = self.kafka_sasl_password.get_secret_value()
        for name, path in (
            ("ssl.ca.location", self.kafka_ssl_ca_location),
            ("ssl.certificate.location", self.kafka_ssl_certificate_location),
            ("ssl.key.location", self.kafka_ssl_key_location),
        ):
            if path is not None:
                config[name] = str(path)
        return config | more

    def librdkafka_consumer(
        self, embedded_wait_ms: int = EMBEDDED_FETCH_WAIT_MS, /, **more: Any
    ) -> dict[str, Any]:
        """As `librdkafka`, for a Consumer.

        embedded_wait_ms: that a new event waits at most, on the embedded broker; on others none.
        """
        polling = {"fetch.wait.max.ms": embedded_wait_ms} if self.kafka_embedded else {}
        return self.librdkafka(**(polling | more))

    def faust_brokers(self) -> list[str]:
        """`kafka://host:port` of each server."""
        return [f"kafka://{server}" for server in self.kafka_bootstrap_servers.split(",")]

    def faust_credentials(self) -> Any | None:
        """`faust.SASLCredentials` or `faust.SSLCredentials`; None for PLAINTEXT."""
        if self.kafka_security_protocol == "PLAINTEXT":
            return None
        import faust

        context = self._ssl_context() if self.uses_ssl else None
        if not self.uses_sasl:
            return faust.SSLCredentials(context)
        assert self.kafka_sasl_password is not None
        return faust.SASLCredentials(
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=self.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
        )

    def _ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.kafka_ssl_ca_location)
        if self.kafka_ssl_certificate_location is not None:
            context.load_cert_chain(
                self.kafka_ssl_certificate_location, self.kafka_ssl_key_location
            )
        return context


class GroupSettings(KafkaSettings):
    """And the group in which the workers share the partitions."""

    consumer_group: str = Field(default="facestream", min_length=1)


class _ErrorLog:
    """One client's errors, each kind at most once in a while."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        now = time.monotonic()
        if now - self._logged_at.get(error.name(), -_SAME_ERROR_S) >= _SAME_ERROR_S:
            self._logged_at[error.name()] = now
            log.warning("Kafka: %s", error.str())


def _with_port(server: str) -> str:
    found = _SERVER.fullmatch(server)
    if found is None or not 0 < int(found["port"] or DEFAULT_PORT) < 65536:
        raise ValueError(f"{server!r} is no host:port")
    return f"{found['host']}:{found['port'] or DEFAULT_PORT}"
