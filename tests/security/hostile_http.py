"""What a caller who means harm may send, byte by byte, and how it is to be refused."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.edge_fake import PNG

KEY = "the-key-of-these-tests"
#: stands wherever a caller can put words: nothing of it may come back or be logged
MARK = "quote-me-not"

_VERIFY = "/api/v1/verify-face"
_COMPARE = "/api/v1/compare-faces"
_JSON = "Content-Type: application/json"
_FORM = "Content-Type: multipart/form-data; boundary=b"
_CHUNKED = "Transfer-Encoding: chunked"
_SECRET = f"Authorization: Bearer {KEY}"
#: would be answered, were it taken for a request of its own
_SMUGGLED = f"GET /{MARK} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Hostile:
    """`statuses`: any of them; the connection is to be closed after `not_http`."""

    data: bytes
    statuses: tuple[int, ...]
    code: str


def head(*lines: str, path: str = _VERIFY, method: str = "POST", version: str = "1.1") -> bytes:
    text = "\r\n".join((f"{method} {path} HTTP/{version}", "Host: h", _SECRET, *lines, "", ""))
    return text.encode("latin-1")


def post(body: bytes, *lines: str, path: str = _VERIFY) -> bytes:
    return head(*lines, f"Content-Length: {len(body)}", path=path) + body


def _no_http(data: bytes) -> Hostile:
    return Hostile(data, (400,), "not_http")


def _unfit(data: bytes, status: int, code: str) -> Hostile:
    return Hostile(data, (status,), code)


def _json(body: bytes, code: str = "not_json", path: str = _VERIFY, status: int = 422) -> Hostile:
    return _unfit(post(body, _JSON, path=path), status, code)


def _form(body: bytes, code: str = "unfit_request", status: int = 422) -> Hostile:
    return _unfit(post(body, _FORM), status, code)


def _part(*lines: str, body: bytes = PNG) -> bytes:
    disposition = 'Content-Disposition: form-data; name="file"; filename="../../etc/passwd"'
    text = "\r\n".join(("--b", disposition, *lines, "", ""))
    return text.encode() + body + b"\r\n"


def _chunks(*chunks: bytes) -> bytes:
    return head(_CHUNKED, _JSON) + b"".join(chunks)


_HEADS: dict[str, Hostile] = {
    "TLS": _no_http(bytes.fromhex("16030100f8010000f40303") + bytes(240)),
    "noise": _no_http(bytes(range(256)) * 4),
    "HTTP/2": _no_http(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": _unfit(b"GET /\r\n\r\n", 400, "not_http"),
    "HTTP/9.9": _no_http(head(version="9.9")),
    "another protocol": _no_http(head().replace(b"HTTP/1.1", b"ICE/1.0")),
    "no method": _no_http(b" / HTTP/1.1\r\n\r\n"),
    "a method of our own": _no_http(head(method=MARK + "(")),
    "NUL in a key": _no_http(head().replace(KEY.encode(), KEY.encode() + b"\0")),
    "NUL in a name": _no_http(head("X\0Y: 1")),
    "NUL in the path": _no_http(head(path=f"/{MARK}\0")),
    "CR in a value": _no_http(head(f"X: a\r{MARK}: b")),
    "LF in a value": _no_http(head(f"X: a\n\x01{MARK}: b")),
    "no name": _no_http(head(f": {MARK}")),
    "no colon": _no_http(head(MARK)),
    "space before a colon": _no_http(head("X : 1")),
    "folded line": _no_http(head("X: a", f" {MARK}")),
    "folded with a tab": _no_http(head("X: a", f"\t{MARK}")),
    "long line": _no_http(head(path="/" + MARK * 100_000)),
    "long value": _no_http(head("X: " + MARK * 100_000)),
    "long name": _no_http(head("X" * 1_000_000 + ": 1")),
    "10,000 headers": _no_http(head(*(f"X-{number}: {MARK}" for number in range(10_000)))),
    "10,000 keys": _no_http(head(*(_SECRET for _ in range(10_000)))),
}
_SMUGGLING: dict[str, Hostile] = {
    "length and chunks": _no_http(
        head("Content-Length: 5", _CHUNKED) + b"0\r\n\r\n" + _SMUGGLED,
    ),
    "chunks and length": _no_http(
        head(_CHUNKED, "Content-Length: 5") + b"0\r\n\r\n" + _SMUGGLED,
    ),
    "xchunked": _no_http(head("Transfer-Encoding: xchunked") + _SMUGGLED),
    "identity": _no_http(head("Transfer-Encoding: identity") + _SMUGGLED),
    "chunked, identity": _no_http(head("Transfer-Encoding: chunked, identity") + _SMUGGLED),
    "chunked twice": _no_http(head(_CHUNKED, _CHUNKED) + b"0\r\n\r\n" + _SMUGGLED),
    "vertical tab chunked": _no_http(head("Transfer-Encoding: \x0bchunked") + _SMUGGLED),
    "quoted chunked": _no_http(head('Transfer-Encoding: "chunked"') + _SMUGGLED),
    "two lengths": _no_http(head("Content-Length: 0", "Content-Length: 5") + _SMUGGLED),
    "one length twice": _no_http(head("Content-Length: 5", "Content-Length: 5") + _SMUGGLED),
    "lengths in a list": _no_http(head("Content-Length: 5, 5") + _SMUGGLED),
    "length with a plus": _no_http(head("Content-Length: +5") + _SMUGGLED),
    "length below zero": _no_http(head("Content-Length: -5") + _SMUGGLED),
    "length in hexadecimal": _no_http(head("Content-Length: 0x5") + _SMUGGLED),
    "length with an underscore": _no_http(head("Content-Length: 1_0") + _SMUGGLED),
    "length of many digits": _no_http(head("Content-Length: " + "9" * 40) + _SMUGGLED),
    "empty length": _no_http(head("Content-Length: ") + _SMUGGLED),
    "chunk size in 0x": Hostile(_chunks(b"0x2\r\n{}\r\n0\r\n\r\n") + _SMUGGLED, (400,), "*"),
    "chunk size below zero": Hostile(_chunks(b"-2\r\n{}\r\n0\r\n\r\n") + _SMUGGLED, (400,), "*"),
    "chunk size of many digits": Hostile(_chunks(b"F" * 40 + b"\r\n{}"), (400, 413), "*"),
    "chunk longer than said": Hostile(_chunks(b"2\r\n{}}}\r\n0\r\n\r\n") + _SMUGGLED, (400,), "*"),
    "LF after a chunk size": Hostile(_chunks(b"2\n{}\r\n0\r\n\r\n") + _SMUGGLED, (400,), "*"),
    "LF in a chunk extension": Hostile(_chunks(b"2;a\n{}\r\n0\r\n\r\n") + _SMUGGLED, (400,), "*"),
    "long chunk extension": Hostile(
        _chunks(b"2;" + b"a" * 1_000_000 + b"\r\n{}\r\n0\r\n\r\n"), (400, 422), "*"
    ),
    "10,000 trailers": Hostile(
        _chunks(b"2\r\n{}\r\n0\r\n", b"X: 1\r\n" * 10_000, b"\r\n"), (400, 422), "*"
    ),
}
_BODIES: dict[str, Hostile] = {
    "ten gigabytes by its word": _unfit(
        head("Content-Type: image/png", "Content-Length: 10737418240") + PNG, 413, "image_too_large"
    ),
    "more than said to be allowed": _unfit(
        head("Content-Type: image/png", _CHUNKED) + b"20000\r\n" + PNG + bytes(0x20000 - len(PNG)),
        413,
        "image_too_large",
    ),
    "gzip of zeros": _unfit(
        post(gzip.compress(bytes(20_000_000)), _JSON, "Content-Encoding: gzip"),
        413,
        "body_too_large",
    ),
    "no gzip": _unfit(post(b"hello", _JSON, "Content-Encoding: gzip"), 400, "broken_body"),
    "half a deflate": Hostile(
        post(zlib.compress(b"{}" * 100)[:12], _JSON, "Content-Encoding: deflate"), (400,), "*"
    ),
    "expects too much": _unfit(head("Expect: 418-teapot"), 417, "expectation_failed"),
    "another method": _unfit(head(method="TRACE", path=f"{_VERIFY}"), 405, "method_not_allowed"),
    "a tunnel": Hostile(head(method="CONNECT", path="h:80"), (400, 404, 405), "*"),
    "a path upwards": _unfit(head(method="GET", path="/docs/../../etc/passwd"), 404, "not_found"),
    "a path upwards, encoded": _unfit(
        head(method="GET", path="/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404, "not_found"
    ),
    "a path that is no UTF-8": _unfit(head(method="GET", path="/%ff%fe"), 404, "not_found"),
    "another host's": _unfit(
        head(method="GET", path="http://169.254.169.254/latest"), 404, "not_found"
    ),
    "base64 of nothing": _json(
        b'{"image_base64": "data:image/png;base64,"}', "empty_image", status=400
    ),
    "base64 of nothing in a form": _unfit(
        post(b"image_base64=", "Content-Type: application/x-www-form-urlencoded"),
        400,
        "empty_image",
    ),
    "padding alone": _json(b'{"image_base64": "===="}', "empty_image", status=400),
    "an SVG": _unfit(
        post(b"<svg onload=alert(1)>", "Content-Type: image/svg+xml"), 415, "not_an_image"
    ),
    "deep list": _json(b"[" * 90_000),
    "deep list that ends": _json(b"[" * 40_000 + b"]" * 40_000),
    "deep object": _json(b'{"a":' * 15_000 + b"1" + b"}" * 15_000),
    "NaN": _json(b'{"embedding_a": [NaN], "embedding_b": [NaN]}', path=_COMPARE),
    "infinity": _json(b'{"embedding_a": [-Infinity]}', path=_COMPARE),
    "1e999": _json(b'{"embedding_a": [1e999]}', path=_COMPARE),
    "100,000 digits": _json(b'{"embedding_a": [' + b"9" * 90_000 + b"]}", path=_COMPARE),
    "a number for a name": _json(b"{1: 2}"),
    "no UTF-8": _json(b'{"image_base64": "\xff\xfe"}'),
    "UTF-16": _json('{"image_base64": ""}'.encode("utf-16")),
    "half a surrogate": _json(rb'{"image_base64": "\ud800"}'),
    "the server's own file": _json(f'{{"image_url": "file:///{MARK}"}}'.encode(), "unfit_request"),
    "a password in an address": _json(
        f'{{"image_url": "http://u:{MARK}@h/?{MARK}"}}'.encode(), "image_forbidden", status=400
    ),
    "form without boundary": _unfit(
        post(b"x", "Content-Type: multipart/form-data"), 422, "unfit_request"
    ),
    "form with a long boundary": _unfit(
        post(b"x", "Content-Type: multipart/form-data; boundary=" + "b" * 4000),
        422,
        "unfit_request",
    ),
    "form that never begins": _form(b"x" * 5000),
    "form that never ends": _form(_part()),
    "part without an end of its head": _form(b"--b\r\nContent-Disposition: form-data"),
    "part with 10,000 headers": _form(_part(*(f"X-{n}: 1" for n in range(10_000)))),
    "part with a long header": _form(_part("X: " + "a" * 50_000)),
    "part in an encoding of its own": _form(_part(f"Content-Transfer-Encoding: {MARK}")),
    "10,000 parts": _form(_part(body=b"") * 1000 + b"--b--\r\n"),
    "form in a form": _form(_part("Content-Type: multipart/mixed; boundary=b")),
    "nothing but the end": _form(b"--b--\r\n", "no_image"),
    "max_faces": _unfit(
        post(PNG, "Content-Type: image/png", path=f"{_VERIFY}?max_faces=1e999"),
        422,
        "unfit_request",
    ),
}
HOSTILE: dict[str, Hostile] = _HEADS | _SMUGGLING | _BODIES

_TEXT = base64.b64encode(PNG)
#: what is no harm, in the same way
HARMLESS: dict[str, bytes] = {
    "raw": post(PNG, "Content-Type: image/png"),
    "JSON": post(b'{"image_base64": "' + _TEXT + b'"}', _JSON),
    "form": post(_part() + b"--b--\r\n", _FORM),
    "chunks": head("Content-Type: image/png", _CHUNKED)
    + b"8\r\n"
    + PNG[:8]
    + b"\r\n%x;a=b\r\n" % (len(PNG) - 8)
    + PNG[8:]
    + b"\r\n0\r\n\r\n",
}
#: heads and bodies that come a byte at a time and do not come to their end
SLOW: dict[str, Sequence[bytes]] = {
    "head": [bytes([byte]) for byte in head(f"X: {MARK}")],
    "body": [
        head("Content-Type: image/png", f"Content-Length: {len(PNG)}"),
        *(bytes([byte]) for byte in PNG),
    ],
    "chunk": [
        head("Content-Type: image/png", _CHUNKED),
        *(bytes([byte]) for byte in b"00000000000000000000"),
    ],
}
