"""`docs/events.md`: topics, headers, fields, errors and examples, from what defines each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cli.field_tables import bounds_of, field_rows
from http_edge.errors import FailedResult, codes_of, problem_of
from schemas import asyncapi, wire
from schemas.errors import FacestreamError, ImageNotFound
from schemas.generate import json_schema

_ROOT = Path(__file__).parents[1]
FOLDER = _ROOT / "docs"
#: JSON that the contract's tests hold to the models
_GOLDEN = _ROOT / "tests" / "contract" / "golden"

_LONGEST_LINE = 90
_SHOWN_OF_A_LIST = 3
#: boxes, points and colours are shown whole
_SHORT_LIST = 5

_INTRODUCTION = """\
# Events

<!-- Written by `facestream schemas --write` from schemas/ and http_edge/errors.py: do not edit. -->

Topics, headers, fields, errors and examples. For programs: [JSON Schemas](../schemas/json) and
[AsyncAPI](../schemas/asyncapi.yaml). How events travel: [architecture](architecture.md).
"""

_ABOUT_ERRORS = """\
`error.code` of a result, and `facestream_error_code` of a dead letter. What is retried is tried
again with growing pauses, until `EVENT_TIMEOUT_S` is over or so many downloads as
`MAX_FETCH_TIMEOUTS` says were too slow; then it fails with this code. HTTP: the status where the
caller gave an address, and where it sent the image itself. Codes of what is no request are met over
Kafka alone: the edge judges a body before it makes a request of it.
"""

_ABOUT_STATUSES = """\
Every code of the HTTP edge's answers, by status. What finds no route is called as its status is:
404 `not_found`, 405 `method_not_allowed`.
"""

#: schema → its section's title and its examples: caption and golden file
_EVENTS: dict[str, tuple[str, dict[str, str]]] = {
    "request": ("Request", {"A request": "request_full"}),
    "result": (
        "Result",
        {
            "Of `embed`; a result of `detect` has no embeddings": "result_ok",
            "Of `analyze`": "result_analysis",
            "Where there is no face": "result_no_face",
            "A failure": "result_failed",
            "A reply to what is no request": "reply_to_no_request",
        },
    ),
    "worker-status": ("Worker status", {"A heartbeat": "worker_status"}),
    "crash-report": ("Crash report", {"One death, one suspect": "crash_report"}),
    "replay-mark": ("Replay mark", {"One dead letter that was sent again": "replay_mark"}),
}
_HEADERS = {
    "request": "Of a request; all may be left out",
    "embedding": "Of a result and of a reply",
    "workerStatus": "Of a heartbeat",
}


def files() -> dict[Path, str]:
    """The page with what it must hold. Raises `FileNotFoundError` where its examples are not."""
    return {FOLDER / "events.md": text()}


def text() -> str:
    """The whole page; the same at each call."""
    document = asyncapi.document()
    parts: list[str] = [_INTRODUCTION, *_topics(document), *_headers(document)]
    for name in _EVENTS:
        parts += _event(name)
    parts += _dead_letter()
    parts += _errors()
    return "\n".join(parts)


def listed_errors(
    above: type[FacestreamError] = FacestreamError,
) -> Iterator[type[FacestreamError]]:
    """Every class of the tree that has a code of its own, depth first."""
    for kind in above.__subclasses__():
        if "code" in vars(kind):
            yield kind
        yield from listed_errors(kind)


def _topics(document: Any) -> Iterator[str]:
    messages = document["components"]["messages"]
    yield "## Topics\n"
    yield "As `facestream topics` creates them, under the prefix that `TOPIC_PREFIX` says.\n"
    rows = []
    for channel in document["channels"].values():
        if channel["address"] is None:
            continue
        kafka = channel["bindings"]["kafka"]
        sent = [messages[name] for name in channel["messages"]]
        keys = dict.fromkeys(message["bindings"]["kafka"]["key"]["description"] for message in sent)
        config = kafka["topicConfiguration"]
        rows.append(
            (
                f"`{channel['address']}`",
                channel["description"],
                " ".join(keys),
                ", ".join(message["title"] for message in sent),
                str(kafka["partitions"]),
                _in_words(timedelta(milliseconds=config["retention.ms"])),
                ", ".join(config.get("cleanup.policy", ["delete"])),
            )
        )
    titles = ("topic", "what", "key", "value", "partitions", "retention", "cleanup")
    yield _table(titles, rows)
    sizes = {
        channel["bindings"]["kafka"]["topicConfiguration"]["max.message.bytes"]
        for channel in document["channels"].values()
        if channel["address"]
    }
    yield f"A message has at most {', '.join(f'{size:,}' for size in sizes)} bytes.\n"


def _in_words(span: timedelta) -> str:
    """Whole days, else hours."""
    number, unit = (span.days, "day") if span.days else (span.seconds // 3600, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _headers(document: Any) -> Iterator[str]:
    yield "## Headers\n"
    yield "CloudEvents in binary mode, and ours. Where nothing else is said, UTF-8 text.\n"
    messages = document["components"]["messages"]
    for name, title in _HEADERS.items():
        yield f"### {title}\n"
        yield _header_table(messages[name]["headers"]["properties"])
    types = sorted(
        {
            message["headers"]["properties"]["ce_type"]["const"]
            for message in messages.values()
            if "properties" in message["headers"]
        }
    )
    yield f"Every `ce_type`: {', '.join(f'`{each}`' for each in types)}.\n"


def _header_table(properties: dict[str, Any]) -> str:
    return _table(
        ("header", "form", "description"),
        [
            (f"`{name}`", bounds_of(header), header["description"])
            for name, header in properties.items()
        ],
    )


def _event(name: str) -> Iterator[str]:
    title, examples = _EVENTS[name]
    schema = json_schema(name)
    yield f"## {title}\n"
    yield f"{schema['description']}\n"
    yield _table(
        ("field", "type", "range", "description"),
        [(f"`{row.path}`", row.kind, row.bounds, row.description) for row in field_rows(schema)],
    )
    for caption, golden in examples.items():
        yield f"{caption}:\n"
        yield f"```json\n{shown(json.loads((_GOLDEN / f'{golden}.json').read_bytes()))}\n```\n"


def _dead_letter() -> Iterator[str]:
    yield "## Dead letter\n"
    yield f"The original key and bytes. {asyncapi.REJECTED_HEADERS['description']}\n"
    yield _header_table(asyncapi.REJECTED_HEADERS["properties"])
    headers = wire.rejected_headers(
        [],
        ImageNotFound("s3://bucket/key.jpg is not there"),
        topic="face.images",
        partition=3,
        offset=1042,
        source="/facestream/workers/host-1a2b3c4d-0",
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    yield "The headers of one:\n"
    yield f"```json\n{shown({name: value.decode() for name, value in headers})}\n```\n"


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield _ABOUT_ERRORS
    yield _table(
        ("code", "meaning", "retried", "HTTP, by address", "HTTP, uploaded"),
        [
            (
                f"`{kind.code}`",
                " ".join((vars(kind).get("__doc__") or "").split()),
                "yes" if kind.retryable else "no",
                *(str(_status(kind.code, uploaded=uploaded)) for uploaded in (False, True)),
            )
            for kind in listed_errors()
        ],
    )
    yield _ABOUT_STATUSES
    rows = [
        (str(int(status)), ", ".join(f"`{code}`" for code in sorted(codes)))
        for status in HTTPStatus
        if (codes := codes_of(status))
    ]
    yield _table(("status", "codes"), rows).rstrip("\n") + "\n"


def _status(code: str, *, uploaded: bool) -> int:
    problem = problem_of(FailedResult(code, "", uploaded=uploaded))
    assert problem is not None
    return problem.status


def shown(value: Any, indent: str = "") -> str:
    """JSON for people: what fits on a line is on one, and of long lists the beginning is shown."""
    if isinstance(value, list) and len(value) > _SHORT_LIST:
        parts = [shown(each, indent + "  ") for each in value[:_SHOWN_OF_A_LIST]]
        return f"[{', '.join(parts)}, …]"
    if isinstance(value, list):
        parts = [shown(each, indent + "  ") for each in value]
        return _joined("[]", parts, indent)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {shown(v, indent + '  ')}" for k, v in value.items()]
        return _joined("{}", parts, indent)
    return json.dumps(value, ensure_ascii=False)


def _joined(brackets: str, parts: Sequence[str], indent: str) -> str:
    opening, closing = tuple(brackets)
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(indent) + len(line) <= _LONGEST_LINE and "\n" not in line:
        return line
    inner = f",\n{indent}  ".join(parts)
    return f"{opening}\n{indent}  {inner}\n{indent}{closing}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(content: str) -> str:
    return content.replace("|", "\\|").replace("\n", " ")
