"""Publish photographs: `python publish.py photo.jpg s3://bucket/other.jpg …`"""

from __future__ import annotations

import base64
import json
import os
import sys
import uuid
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = os.environ.get("TOPIC_PREFIX", "face.") + "images"


def image_of(photograph: str) -> dict[str, str]:
    """An address is sent as it is; a file's bytes travel in the event, up to 1 MiB of them."""
    if "://" in photograph:
        return {"uri": photograph}
    return {"data": base64.b64encode(Path(photograph).read_bytes()).decode()}


def main(photographs: list[str]) -> int:
    """Returns how many were not published."""
    errors: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            errors.append(error)
            print(f"not published: {error}", file=sys.stderr)

    # room for a photograph of 1 MiB in base64; the topic allows 8 MiB
    producer = Producer({"bootstrap.servers": SERVERS, "message.max.bytes": 2_000_000})
    for photograph in photographs:
        request_id = str(uuid.uuid4())  # its result names it
        request = {
            "id": request_id,
            "operation": "embed",
            "image": image_of(photograph),
            "metadata": {"file": photograph},  # comes back as it is
        }
        producer.produce(TOPIC, key=request_id, value=json.dumps(request), on_delivery=delivered)
        producer.poll(0)
    producer.flush()
    print(f"{len(photographs) - len(errors)} published on {TOPIC}")
    return len(errors)


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
