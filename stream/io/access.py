"""Whether the brokers let us in, asked when a command starts: its clients would only try again."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException

from stream.io.kafka import KafkaSettings

#: brokers that say nothing in this time are away, which is not the settings' fault
_PATIENCE_S = 5.0
_ASK_S = 0.1
#: what TLS calls a client's certificate that is missing or not known to the broker
_CERTIFICATE_ALERTS = ("alert bad certificate", "alert certificate required", "alert unknown ca")


class AccessRefused(RuntimeError):
    """The brokers answer and do not let us in. `str()` names the settings to look at."""


def check_access(settings: KafkaSettings) -> None:
    """Returns when a broker has let us in, or none is there to refuse. Raises `AccessRefused`."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return
    errors: list[KafkaError] = []
    config = {"group.id": "facestream-access", "log_level": 0, "error_cb": errors.append}
    consumer = Consumer(settings.librdkafka(**config))
    try:
        if not _let_in(consumer, errors) and (refusal := _refusal(errors)) is not None:
            raise AccessRefused(f"Kafka at {settings.kafka_bootstrap_servers}: {refusal}")
    finally:
        consumer.close()


def _let_in(consumer: Consumer, errors: list[KafkaError]) -> bool:
    """False when all were tried and one refused, or nothing was heard in time."""
    ends_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends_at:
        try:
            if consumer.list_topics(timeout=_ASK_S).brokers:
                return True
        except KafkaException:
            consumer.poll(0)  # it is here that errors are told
        all_tried = any(error.code() == KafkaError._ALL_BROKERS_DOWN for error in errors)  # noqa: SLF001 - so it is called
        if all_tried and _refusal(errors) is not None:
            return False
    return False


def _refusal(errors: list[KafkaError]) -> str | None:
    """The settings to look at, and librdkafka's words; it quotes no password."""
    for error in errors:
        words = error.str()
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001
            return (
                "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD or KAFKA_SASL_MECHANISM is not accepted "
                f"({words})"
            )
        if error.code() == KafkaError._SSL:  # noqa: SLF001
            return (
                "the broker's certificate is not trusted: KAFKA_SSL_CA_LOCATION names the "
                "authority that signed it, KAFKA_BOOTSTRAP_SERVERS the host that it was made for "
                f"({words})"
            )
        if any(alert in words for alert in _CERTIFICATE_ALERTS):
            return (
                "it wants another client certificate than KAFKA_SSL_CERTIFICATE_LOCATION and "
                f"KAFKA_SSL_KEY_LOCATION name ({words})"
            )
    return None
