"""The AsyncAPI 3.0 document: topics as channels, events as messages, and their headers.

Seen from the workers: what they receive and what they send.
"""

from __future__ import annotations

from typing import Any

from schemas import wire
from schemas.topics import OPERATIONS, Topics, TopicSpec

_KAFKA_BINDING = "0.5.0"

Document = dict[str, Any]

_DIGITS = {"type": "string", "pattern": "^[0-9]{1,18}$"}

_CLOUD_EVENT: Document = {
    "ce_specversion": {"type": "string", "const": "1.0", "description": "of CloudEvents"},
    "ce_id": {"type": "string", "description": "of this event: the request's id, the result's, …"},
    "ce_type": {"type": "string", "description": "what the value is"},
    "ce_source": {"type": "string", "format": "uri-reference", "description": "who published it"},
    "ce_time": {"type": "string", "format": "date-time", "description": "when it was made"},
    "content-type": {
        "type": "string",
        "const": "application/json",
        "description": "of the value",
    },
}
_TRACE: Document = {
    wire.TRACEPARENT: {"type": "string", "description": "W3C Trace Context, passed through"}
}
_REQUEST: Document = {
    wire.DEADLINE: {
        **_DIGITS,
        "description": "epoch milliseconds, decimal: not computed once it has passed",
    },
    wire.REPLY_TO: {
        "type": "string",
        "description": "topic of the reply; REPLY_TOPICS allows (default: face.replies and "
        "face.replies.*)",
    },
    wire.REPLY_PARTITION: {
        **_DIGITS,
        "description": "decimal; without it the reply goes where its key leads",
    },
    wire.CORRELATION_ID: {
        "type": "string",
        "description": "any bytes, returned in the reply as they came",
    },
    wire.SPRING_REPLY_TOPIC: {
        "type": "string",
        "description": "Spring's name for reply_to; where reply_to stands beside it, that counts",
    },
    wire.SPRING_REPLY_PARTITION: {
        "type": "string",
        "format": "binary",
        "description": "Spring's name for reply_partition: 4 bytes, big-endian",
    },
    wire.SPRING_CORRELATION_ID: {
        "type": "string",
        "format": "binary",
        "description": "Spring's name for correlation_id: any bytes, returned under this name",
    },
    wire.REQUEST_ID: {
        "type": "string",
        "description": "of a replayed request that names no id: the one it had at first",
    },
    wire.REPLAYS: {
        **_DIGITS,
        "description": "how often it was sent again after it had been rejected",
    },
}
_REPLY: Document = {
    wire.CORRELATION_ID: {"type": "string", "description": "the request's, unchanged"},
    wire.SPRING_CORRELATION_ID: {
        "type": "string",
        "format": "binary",
        "description": "in its place where the request was addressed in Spring's names",
    },
}
REJECTED_HEADERS: Document = {
    "title": "RejectedHeaders",
    "description": "Headers of a dead letter, beside the original ones; UTF-8 text.",
    "type": "object",
    "properties": {
        "facestream_error_code": {
            "type": "string",
            "description": "why it is here",
            "examples": ["not_json", "image_not_found"],
        },
        "facestream_error_message": {
            "type": "string",
            "description": "for people; holds no credentials and no query strings",
        },
        "facestream_error_topic": {"type": "string", "description": "where it came from"},
        "facestream_error_partition": {**_DIGITS, "description": "where it came from"},
        "facestream_error_offset": {**_DIGITS, "description": "where it came from"},
        "facestream_error_source": {"type": "string", "description": "the worker"},
        "facestream_error_time": {
            "type": "string",
            "format": "date-time",
            "description": "when it was laid aside",
        },
    },
    "required": [
        "facestream_error_code",
        "facestream_error_message",
        "facestream_error_topic",
        "facestream_error_partition",
        "facestream_error_offset",
        "facestream_error_source",
        "facestream_error_time",
    ],
}

#: message name → the operation whose result it is
_RESULTS = {"detection": OPERATIONS[0], "embedding": OPERATIONS[1], "analysis": OPERATIONS[2]}
_LANES = ("images", "requests")
_RESULT_MESSAGES = (*_RESULTS, "failure")


def document() -> Document:
    """The whole document, in the order in which it is read."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Facestream",
            "version": "1.0.0",
            "description": "Events that refer to images go in; faces, their embeddings and "
            "analyses come out. At least once: the same request processed twice gives the same "
            "result id, by which consumers drop duplicates.\n\nThe topics' names have the prefix "
            "that TOPIC_PREFIX says (default: face.), and all allow messages of 8 MiB.",
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": wire.JSON.decode(),
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka"}},
        "channels": _channels(Topics()),
        "operations": _operations(),
        "components": {"messages": _messages(), "correlationIds": _correlation_ids()},
    }


def _channels(topics: Topics) -> Document:
    about = {
        "images": (topics.images, ["request"], "The bulk lane's requests."),
        "requests": (
            topics.requests,
            ["request"],
            "The interactive lane's requests, with reply address and deadline; taken first.",
        ),
        "detections": (topics.detections, ["detection"], "Results of `detect`."),
        "embeddings": (topics.embeddings, ["embedding"], "Results of `embed`."),
        "analyses": (topics.analyses, ["analysis"], "Results of `analyze`."),
        "rejected": (
            topics.rejected,
            ["rejected"],
            "Dead letters: the original key and bytes, untouched; why and from where in headers.",
        ),
        "replies": (topics.replies, list(_RESULT_MESSAGES), "Where replies go by default."),
        "workers": (topics.workers, ["workerStatus"], "Heartbeats of the workers, compacted."),
        "crashes": (
            topics.crashes,
            ["crashReport"],
            "Internal: which events were in native code when a worker died.",
        ),
        "replayed": (
            topics.replayed,
            ["replayMark"],
            "Internal: which dead letters `facestream rejected replay` sent again.",
        ),
    }
    specs = {spec.name: spec for spec in topics.specs()}
    channels: Document = {
        name: {
            "address": address,
            "description": description,
            "messages": _named(messages),
            "bindings": {"kafka": _topic_binding(specs[address])},
        }
        for name, (address, messages, description) in about.items()
    }
    channels["replyAddress"] = {
        "address": None,
        "description": "The topic that a request names in reply_to or kafka_replyTopic.",
        "messages": _named(_RESULT_MESSAGES),
    }
    return channels


def _topic_binding(spec: TopicSpec) -> Document:
    config: Document = {
        key: value.split(",") if key == "cleanup.policy" else int(value)
        for key, value in spec.config.items()
    }
    return {
        "partitions": spec.partitions,
        "topicConfiguration": config,
        "bindingVersion": _KAFKA_BINDING,
    }


def _operations() -> Document:
    receive = {
        "receiveImages": ("images", "Take bulk requests."),
        "receiveRequests": ("requests", "Take interactive requests, before all others."),
        "receiveCrashes": ("crashes", "Learn which events workers died over."),
    }
    send = {
        "sendDetections": ("detections", "Publish what the detector found."),
        "sendEmbeddings": ("embeddings", "Publish faces with their embeddings."),
        "sendAnalyses": ("analyses", "Publish faces with embeddings and analyses."),
        "sendRejected": ("rejected", "Lay aside what is no request, and what failed in bulk."),
        "sendReplies": ("replies", "Answer, with the bytes of the published result."),
        "sendWorkers": ("workers", "Say what this worker holds and does."),
        "sendReplayed": ("replayed", "Note that a dead letter was sent again."),
        "sendCrashes": ("crashes", "Tell all workers of a death, and what may have caused it."),
    }
    operations: Document = {}
    for name, (channel, summary) in receive.items():
        operations[name] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
        }
        if channel in _LANES:
            operations[name]["reply"] = {
                "address": {"location": f"$message.header#/{wire.REPLY_TO}"},
                "channel": {"$ref": "#/channels/replyAddress"},
            }
    for name, (channel, summary) in send.items():
        operations[name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
        }
    return operations


def _messages() -> Document:
    messages: Document = {
        "request": _message(
            "Request",
            payload="request",
            headers=_headers(_TRACE | _REQUEST),
            key="The producer's choice, else the request's id; results have the same.",
            correlated=True,
        )
    }
    for name, operation in _RESULTS.items():
        messages[name] = _message(
            f"Result of {operation}",
            payload="result",
            headers=_headers(_TRACE | _REPLY, wire.RESULT_TYPES[operation]),
            key="The request's key.",
            correlated=True,
        )
    messages["failure"] = _message(
        "Reply to what is no request",
        payload="result",
        headers=_headers(_TRACE | _REPLY, wire.RESULT_TYPES[None]),
        key="The request's key.",
        correlated=True,
    )
    messages["rejected"] = {
        "title": "Dead letter",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "./json/rejected-headers.schema.json"},
        "payload": {"description": "The original bytes, untouched; they may be anything."},
        "bindings": {"kafka": _key_binding("The original key.")},
    }
    messages["workerStatus"] = _message(
        "Worker status",
        payload="worker-status",
        headers=_headers({}, wire.WORKER_TYPE),
        key="The worker's id.",
    )
    messages["crashReport"] = _message(
        "Crash report",
        payload="crash-report",
        headers=_headers({}, wire.CRASH_TYPE),
        key="topic:partition:offset of the event.",
    )
    messages["replayMark"] = _message(
        "Replay mark",
        payload="replay-mark",
        headers=_headers({}, wire.REPLAY_TYPE),
        key="partition:offset of the dead letter.",
    )
    return messages


def _message(
    title: str, *, payload: str, headers: Document, key: str, correlated: bool = False
) -> Document:
    message: Document = {"title": title, "contentType": wire.JSON.decode(), "headers": headers}
    message["payload"] = {"$ref": f"./json/{payload}.schema.json"}
    if correlated:
        message["correlationId"] = {"$ref": "#/components/correlationIds/reply"}
    message["bindings"] = {"kafka": _key_binding(key)}
    return message


def _headers(more: Document, event_type: str | None = None) -> Document:
    """CloudEvents' attributes and `more`. A request's producer may leave all of them out."""
    events = dict(_CLOUD_EVENT)
    events["ce_type"] = {**events["ce_type"], "const": event_type or wire.REQUEST_TYPE}
    schema: Document = {"type": "object", "properties": events | more}
    if event_type is not None:
        schema["required"] = list(_CLOUD_EVENT)
    return schema


def _key_binding(description: str) -> Document:
    return {
        "key": {"type": "string", "description": description},
        "bindingVersion": _KAFKA_BINDING,
    }


def _correlation_ids() -> Document:
    return {
        "reply": {
            "description": "By which the caller knows its answer.",
            "location": f"$message.header#/{wire.CORRELATION_ID}",
        }
    }


def _named(messages: list[str] | tuple[str, ...]) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
