"""A dead letter in full: for people, and as a line of JSON for programs.

What a stranger wrote is shown without control characters and without credentials.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson

from cli.dead_letters import DeadLetter
from stream.io.sources import public_uri

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
#: a longer text is an image's base64, or as good as one
_LONGEST_TEXT = 200
_SHOWN_OF_LONG = 32
_DEEPEST = 32


def document(letter: DeadLetter, replayed_at: datetime | None) -> dict[str, Any]:
    """For `--json`: where it is, why, from where and who asked."""
    rejection = letter.rejection
    partition, offset = letter.place
    return {
        "partition": partition,
        "offset": offset,
        "rejected_at": letter.rejected_at.isoformat(),
        "reason": rejection.code,
        "message": rejection.message,
        "topic": rejection.topic,
        "topic_partition": rejection.partition,
        "topic_offset": rejection.offset,
        "key": None if letter.record.key is None else letter.record.key.decode("utf-8", "replace"),
        "request_id": letter.request_id,
        "bytes": len(letter.record.value or b""),
        "replays": rejection.replays,
        "replayed_at": None if replayed_at is None else replayed_at.isoformat(),
    }


def whole(letter: DeadLetter, replayed_at: datetime | None) -> str:
    """Everything about one, its bytes as JSON where they are any."""
    rejection, value = letter.rejection, letter.record.value
    again = f"sent again {rejection.replays}× before it" if rejection.replays else ""
    since = f"replayed {_time(replayed_at)}" if replayed_at else ""
    lines = [
        ("place", letter.place_name),
        ("rejected", f"{_time(letter.rejected_at)} by {printable(rejection.source)}"),
        ("reason", printable(f"{rejection.code}: {rejection.message}")),
        ("from", printable(letter.origin)),
        ("key", None if letter.record.key is None else text_of(letter.record.key)),
        ("request", printable(letter.request_id)),
        ("replays", ", ".join(filter(None, (again, since))) or None),
        *(
            ("header", f"{printable(name)}: {text_of(content)}")
            for name, content in _others(letter)
        ),
        ("value", _size(value)),
    ]
    shown = "\n".join(f"{name:<9} {text}" for name, text in lines if text is not None)
    content = _decoded(value)
    return shown if content is None else f"{shown}\n{content}"


def printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _others(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    return [
        (name, content)
        for name, content in letter.record.headers
        if not name.startswith("facestream_error_")
    ]


def text_of(content: bytes | None) -> str:
    """UTF-8 text without credentials, else hex digits."""
    if content is None:
        return ""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"0x{content.hex()}"
    return _public(text) if text.isprintable() else f"0x{content.hex()}"


def _size(value: bytes | None) -> str:
    if value is None:
        return "none"
    kind = "" if _decoded(value) is not None else ", no JSON: --raw writes them as they are"
    return f"{len(value)} bytes{kind}"


def _decoded(value: bytes | None) -> str | None:
    try:
        content = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return orjson.dumps(_abbreviated(content), option=orjson.OPT_INDENT_2).decode()


def _abbreviated(node: Any, deep: int = 0) -> Any:
    if deep > _DEEPEST:
        return "…"
    if isinstance(node, dict):
        return {
            _public(name): public_uri(inner)
            if name == "uri" and isinstance(inner, str)
            else _abbreviated(inner, deep + 1)
            for name, inner in node.items()
        }
    if isinstance(node, list):
        return [_abbreviated(inner, deep + 1) for inner in node]
    return _public(node) if isinstance(node, str) else node


def _public(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        return f"{_public(text[:_SHOWN_OF_LONG])}… ({len(text)} characters)"
    return printable(_URI.sub(lambda uri: public_uri(uri[0]), text))


def _time(at: datetime) -> str:
    return at.astimezone().isoformat(sep=" ", timespec="seconds")
