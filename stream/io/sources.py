"""`IMAGE_SOURCES`: the one allow-list, and the one place where an image's address is read.

A prefix is `scheme://place/path`; the path matches by whole segments, so that `/photos` allows
`/photos/a.jpg` and not `/photos2/a.jpg`; a prefix without a port means its scheme's own, under a
wildcard too. What connects later uses the address as it was read here,
never the text again: two readers of one URL that disagree are how such lists are passed by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, unquote_to_bytes

from yarl import URL

from schemas.errors import ImageForbidden

Bucket = Literal["s3", "gs", "az"]
BUCKET_SCHEMES: tuple[Bucket, ...] = ("s3", "gs", "az")
WEB_SCHEMES = ("http", "https")

#: what yarl raises for text that is no URL; the second by mistake, for `http://]`
NO_URL = (ValueError, IndexError)

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_SHOWN_AUTHORITY = re.compile(r"([\w.*-]*|\[[0-9A-Fa-f:.]*\])(:\d{1,5})?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")

#: as long as the contract lets a request's be
_MAX_URI_CHARS = 8192
#: of one path, within each other; each is one more reading of it
_MAX_ENCODINGS = 8


def public_uri(uri: str) -> str:
    """A URI without credentials, query and fragment, fit for results and logs. Never raises."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in uri)
    scheme, separator, rest = text.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return _before_query(text.rpartition("@")[2])
    # Credentials may hold a `?`: the authority is cut off before the query is.
    authority, slash, path = rest.partition("/")
    authority = _before_query(authority.rpartition("@")[2])
    if not _SHOWN_AUTHORITY.fullmatch(authority):
        return f"{scheme}://…"
    return f"{scheme}://{authority}{slash}" + re.sub(r"//[^/]*@", "//", _before_query(path))


def _before_query(text: str) -> str:
    return re.split(r"[?#]", text, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class WebPrefix:
    """`http(s)://host[:port]/path`; the host may be `*` or begin with `*.`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def named(self) -> bool:
        """The host is given in full: it may be a private one."""
        return not self.host.startswith("*")

    def allows(self, url: URL) -> bool:
        host = url.raw_host or ""
        if (self.scheme, self.port) != (url.scheme, url.port):
            return False
        if self.named:
            matches = host == self.host
        else:
            matches = self.host == "*" or host.endswith(self.host[1:])
        return matches and _below(url.raw_path, self.path)


@dataclass(frozen=True, slots=True)
class BucketPrefix:
    """`s3://bucket/key`: the key is taken as it stands, as the AWS command line does."""

    scheme: Bucket
    bucket: str
    key: str

    def allows(self, scheme: str, bucket: str, key: str) -> bool:
        return (self.scheme, self.bucket) == (scheme, bucket) and _below(key, self.key)


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An allowed URL. `public_only`: a wildcard allowed it, so its address must be public."""

    url: URL
    public_only: bool


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """An object in a bucket (a container, for `az`)."""

    scheme: Bucket
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The allow-list. Its methods raise `ImageForbidden` for an address that is not on it."""

    web: tuple[WebPrefix, ...] = ()
    buckets: tuple[BucketPrefix, ...] = ()
    #: absolute paths; what is really below them is found out when a file is opened
    folders: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Sources:
        """Comma-separated prefixes. Raises `ValueError` that names the one that is none."""
        web: list[WebPrefix] = []
        buckets: list[BucketPrefix] = []
        folders: list[str] = []
        for prefix in filter(None, (part.strip() for part in text.split(","))):
            scheme = prefix.partition("://")[0].lower()
            try:
                if scheme in WEB_SCHEMES:
                    web.append(_web_prefix(prefix))
                elif scheme == "file":
                    folders.append(read_file_uri(prefix))
                else:
                    where = read_object_uri(prefix, as_prefix=True)
                    buckets.append(BucketPrefix(where.scheme, where.bucket, where.key))
            except (ValueError, ImageForbidden) as error:
                raise ValueError(f"{public_uri(prefix)!r} in IMAGE_SOURCES: {error}") from None
        return cls(tuple(web), tuple(buckets), tuple(folders))

    def web_address(self, uri: str | URL) -> WebAddress:
        """An `http(s)` address that may be fetched."""
        url = read_web_uri(uri)
        matching = [prefix for prefix in self.web if prefix.allows(url)]
        if not matching:
            raise _not_listed(str(url))
        return WebAddress(url, public_only=not any(prefix.named for prefix in matching))

    def object_address(self, uri: str) -> ObjectAddress:
        """An object that may be fetched."""
        where = read_object_uri(uri)
        if not any(b.allows(where.scheme, where.bucket, where.key) for b in self.buckets):
            raise _not_listed(uri)
        return where


def read_web_uri(uri: str | URL) -> URL:
    """The parsed URL, without its fragment. Raises `ImageForbidden` for what is not plain."""
    if len(str(uri)) > _MAX_URI_CHARS:
        raise ImageForbidden(f"an address has more than {_MAX_URI_CHARS} characters")
    if isinstance(uri, str) and (_UNSAFE.search(uri) or "\\" in uri or uri != uri.strip()):
        raise ImageForbidden(f"{public_uri(uri)} holds characters that no URL has")
    shown = public_uri(str(uri))
    try:
        url = URL(uri)
    except NO_URL:
        raise ImageForbidden(f"{shown} is no URL") from None
    if url.scheme not in WEB_SCHEMES or not _HOST.fullmatch(url.raw_host or "") or not url.port:
        raise ImageForbidden(f"{shown} names no host that can be fetched from")
    if url.raw_user is not None or url.raw_password is not None:
        raise ImageForbidden(f"{shown} carries credentials: they do not belong into events")
    if _climbs(url.raw_path):
        raise ImageForbidden(f"{shown} climbs out of its folder")
    return url.with_fragment(None)


def read_object_uri(uri: str, *, as_prefix: bool = False) -> ObjectAddress:
    """`s3://bucket/key`. A prefix may end in `/` or name the bucket alone."""
    scheme_text, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    scheme = next((known for known in BUCKET_SCHEMES if known == scheme_text.lower()), None)
    if scheme is None:
        schemes = ", ".join((*WEB_SCHEMES, "file", *BUCKET_SCHEMES))
        raise ImageForbidden(f"{public_uri(uri)} has none of the schemes {schemes}")
    if not _BUCKET.fullmatch(bucket):
        raise ImageForbidden(f"{public_uri(uri)} names no bucket")
    if as_prefix:
        key = key.removesuffix("/")
    segments = key.split("/") if key or not as_prefix else []
    if _UNSAFE.search(key) or "" in segments or _climbs(key):
        raise ImageForbidden(f"{public_uri(uri)} names no object")
    return ObjectAddress(scheme, bucket, key)


def read_file_uri(uri: str) -> str:
    """`file:///folder/name`, percent-encoded → an absolute path. Says nothing of where it leads."""
    scheme, separator, rest = uri.partition("://")
    host, slash, tail = rest.partition("/")
    if scheme.lower() != "file" or not separator or not slash or host not in ("", "localhost"):
        raise ImageForbidden(f"{public_uri(uri)} names no file of this machine")
    text = slash + _before_query(tail)
    path = unquote_to_bytes(text.encode("utf-8", "replace"))
    if b"\x00" in path:
        raise ImageForbidden(f"{public_uri(uri)} names no file")
    return path.decode("utf-8", "surrogateescape")


def _web_prefix(prefix: str) -> WebPrefix:
    if _UNSAFE.search(prefix) or "\\" in prefix or "?" in prefix or "#" in prefix:
        raise ValueError("a prefix is scheme, host, port and path")
    wildcard = re.match(r"(?i)(https?://)(\*\.?)(.*)", prefix)
    if wildcard is None:
        url = read_web_uri(prefix)
        return WebPrefix(url.scheme, url.raw_host or "", url.port or 0, url.raw_path)
    scheme, star, rest = wildcard.groups()
    if "*" in rest or (star == "*" and rest and rest[0] not in ":/"):
        raise ValueError("a wildcard is a whole host, https://*, or begins one, https://*.h.com")
    url = read_web_uri(scheme + ("any" if star == "*" else "") + rest)
    host = "*" if star == "*" else f"*.{url.raw_host}"
    return WebPrefix(url.scheme, host, url.port or 0, url.raw_path)


def _below(path: str, prefix: str) -> bool:
    trimmed = prefix.removesuffix("/")
    return not trimmed or path == trimmed or path.startswith(f"{trimmed}/")


def _climbs(path: str) -> bool:
    """Whether some server may read `.` or `..` out of a path, however often it is encoded."""
    for _ in range(_MAX_ENCODINGS):
        decoded = unquote(path)
        if decoded == path:
            segments = re.split(r"[/\\]", path)
            # Some servers read `..;x` as `..` with a parameter.
            return any(segment.partition(";")[0] in (".", "..") for segment in segments)
        path = decoded
    return True


def _not_listed(uri: str) -> ImageForbidden:
    return ImageForbidden(f"{public_uri(uri)} is not allowed by IMAGE_SOURCES")
