"""Read embeddings: `python consume.py [how many]`, else until Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from confluent_kafka import Consumer

SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = os.environ.get("TOPIC_PREFIX", "face.") + "embeddings"


def take(result: dict[str, Any]) -> None:
    """What your service does with a result."""
    name = result["metadata"].get("file", result["request_id"])
    if result["status"] == "failed":
        print(f"{name}: {result['error']['code']}")
    for face in result["faces"]:  # the most prominent first
        print(f"{name}: {len(face['embedding'])} numbers, at {[round(x) for x in face['bbox']]}")


def main(most: float) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS,
            "group.id": "my-service",
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,  # a place is stored when its result is done with
        }
    )
    consumer.subscribe([TOPIC])
    seen: set[str] = set()  # yours belongs beside your data: it outlives this process there
    try:
        while len(seen) < most:
            message = consumer.poll(1)
            if message is None or message.error():
                continue  # errors that pass: the client gets over them by itself
            result = json.loads(message.value() or b"{}")
            if result["id"] not in seen:  # at least once: the same result has the same id
                take(result)
                seen.add(result["id"])
            consumer.store_offsets(message)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()  # commits what is stored


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
