"""What `KAFKA_*` may say, and what becomes of it for librdkafka and for Faust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError
from pydantic import SecretStr, ValidationError

from schemas.topics import MAX_MESSAGE_BYTES
from stream.io.kafka import KafkaSettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in KafkaSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


def test_nothing_said_means_a_plain_broker_on_this_host() -> None:
    settings = KafkaSettings()
    config = settings.librdkafka()
    assert callable(config.pop("error_cb"))
    assert config == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "PLAINTEXT",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "socket.nagle.disable": True,
        "log_level": 2,
    }
    assert settings.faust_brokers() == ["kafka://localhost:9092"]
    assert settings.faust_credentials() is None
    assert settings.topics.images == "face.images"


def test_the_environment_names_the_fields_and_an_empty_variable_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "one:9092, two:19092,[::1]")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "")
    monkeypatch.setenv("TOPIC_PREFIX", "mine.")
    settings = KafkaSettings()
    assert settings.kafka_bootstrap_servers == "one:9092,two:19092,[::1]:9092"
    assert settings.faust_brokers() == [
        "kafka://one:9092",
        "kafka://two:19092",
        "kafka://[::1]:9092",
    ]
    assert settings.kafka_sasl_username is None
    assert settings.topics.images == "mine.images"


def test_what_is_added_has_librdkafkas_names_and_wins() -> None:
    config = KafkaSettings().librdkafka(**{"linger.ms": 0, "message.max.bytes": 1000})
    assert config["linger.ms"] == 0
    assert config["message.max.bytes"] == 1000


def test_a_consumer_polls_often_on_the_embedded_broker_alone() -> None:
    assert "fetch.wait.max.ms" not in KafkaSettings().librdkafka_consumer()
    assert "fetch.wait.max.ms" not in KafkaSettings().librdkafka_consumer(2)
    embedded = KafkaSettings(kafka_embedded=True)
    assert embedded.librdkafka_consumer()["fetch.wait.max.ms"] == 10
    assert embedded.librdkafka_consumer(2)["fetch.wait.max.ms"] == 2


def test_sasl_reaches_both_clients_and_the_password_stays_out_of_sight() -> None:
    settings = KafkaSettings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="ann",
        kafka_sasl_password=SecretStr("s3cret"),
    )
    assert "s3cret" not in repr(settings)
    config = settings.librdkafka()
    assert config["sasl.mechanism"] == "SCRAM-SHA-512"
    assert config["sasl.username"] == "ann"
    assert config["sasl.password"] == "s3cret"
    credentials: Any = settings.faust_credentials()
    assert credentials.protocol.value == "SASL_SSL"
    assert credentials.mechanism.value == "SCRAM-SHA-512"
    assert (credentials.username, credentials.password) == ("ann", "s3cret")
    assert isinstance(credentials.ssl_context, ssl.SSLContext)


def test_ssl_verifies_the_brokers_certificate() -> None:
    credentials: Any = KafkaSettings(kafka_security_protocol="SSL").faust_credentials()
    assert credentials.protocol.value == "SSL"
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED
    assert credentials.context.check_hostname


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "ann"},
            "SASL_SSL needs KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD",
        ),
        (
            {"kafka_sasl_username": "ann"},
            "KAFKA_SASL_USERNAME would not be used: KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
        ),
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ssl_ca_location": __file__},
            "KAFKA_SSL_CA_LOCATION would not be used",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_key_location": __file__},
            "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION go together",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_ca_location": Path("no/such.pem")},
            "no/such.pem is no file",
        ),
        ({"kafka_security_protocol": "TLS"}, "'SASL_SSL'"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "'SCRAM-SHA-512'"),
        ({"kafka_bootstrap_servers": " , "}, "names no server"),
        ({"kafka_bootstrap_servers": "kafka://one:9092"}, "is no host:port"),
        ({"kafka_bootstrap_servers": "one:99999"}, "is no host:port"),
        ({"topic_prefix": "faces/"}, "letters, digits"),
        ({"kafka_embedded": True, "kafka_security_protocol": "SSL"}, "PLAINTEXT alone"),
    ],
)
def test_settings_that_do_not_fit_say_which_and_why(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason.replace("(", r"\(")):
        KafkaSettings(**given)


def test_an_outage_is_logged_now_and_then_and_not_at_each_refused_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell = KafkaSettings().librdkafka()["error_cb"]
    for number in range(20):
        tell(KafkaError(KafkaError._TRANSPORT, f"refused after {number} ms"))
    tell(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    assert [record.getMessage() for record in caplog.records] == [
        "Kafka: refused after 0 ms",
        "Kafka: wrong password",
    ]
