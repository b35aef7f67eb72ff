"""Images from web servers: every hop on the allow-list, every connection's address looked at.

Two client sessions with a connection pool each: one for hosts that are named in full, one for
those that a wildcard allows. A connection is only ever used again under the rule by which it was
made, and the rule is asked for the address that the socket is about to connect to, after DNS.
"""

from __future__ import annotations

import contextlib
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from schemas.errors import (
    FetchTimeout,
    ImageError,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnavailable,
    NotAnImage,
)
from stream.io.addresses import may_connect
from stream.io.formats import HEAD_BYTES, format_of, why_not_decoded
from stream.io.names import SystemResolver
from stream.io.sources import NO_URL, Sources, WebAddress, public_uri

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED = frozenset({401, 402, 403, 407, 451})
_MAY_PASS = frozenset({408, 421, 423, 425, 429})
#: identity: nothing is unpacked here, so nothing can unfold to more than it said
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "facestream"}


class _ForbiddenAddress(OSError):
    """The one text lets aiohttp keep the type when several addresses of a host are refused."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


@dataclass(frozen=True, slots=True)
class WebLimits:
    """What one fetch may take. The time in all is the caller's to bound."""

    max_bytes: int
    connect_timeout_s: float
    max_redirects: int


class WebClient:
    """Fetches `http(s)` images. An async context manager; closed, it fetches nothing."""

    def __init__(
        self, sources: Sources, limits: WebLimits, *, resolver: AbstractResolver | None = None
    ) -> None:
        self._sources = sources
        self._limits = limits
        self._resolver = resolver or SystemResolver()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._resolver.close)
        for public_only in (False, True):
            self._sessions[public_only] = await self._stack.enter_async_context(
                self._session(public_only=public_only)
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def read(self, uri: str) -> bytes:
        """The body behind an address and its redirects. Raises leaves of `ImageError`."""
        address = self._sources.web_address(uri)
        for _ in range(self._limits.max_redirects + 1):
            shown = public_uri(str(address.url))
            try:
                answer = await self._read_hop(address, shown)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise _explained(error, shown) from None
            if isinstance(answer, bytes):
                return answer
            address = self._sources.web_address(answer)
        raise ImageNotFound(
            f"{public_uri(uri)} redirects more than {self._limits.max_redirects} times"
        )

    async def _read_hop(self, address: WebAddress, shown: str) -> bytes | URL:
        """One request: the body, or where it redirects to."""
        session = self._sessions[address.public_only]
        async with session.get(address.url, allow_redirects=False) as response:
            try:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    return _joined(address.url, response.headers["Location"], shown)
                _check_answer(response, shown)
                return await self._read_body(response, shown)
            except BaseException:
                # What is left of the body is not worth waiting for.
                response.close()
                raise

    async def _read_body(self, response: aiohttp.ClientResponse, shown: str) -> bytes:
        limit = self._limits.max_bytes
        announced = response.content_length
        if announced is not None and announced > limit:
            raise ImageTooLarge(f"{shown} has {announced} bytes; the limit is {limit}")
        body = bytearray()
        looked_at = False
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > limit:
                raise ImageTooLarge(f"{shown} sends more than the limit of {limit} bytes")
            if not looked_at and len(body) >= HEAD_BYTES:
                # Before the rest is waited for. What a server calls it is not asked: many err.
                _check_head(bytes(body[:HEAD_BYTES]), shown)
                looked_at = True
        return bytes(body)

    def _session(self, *, public_only: bool) -> aiohttp.ClientSession:
        def checked_socket(info: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, address = info
            if not may_connect(str(address[0]), public_only=public_only):
                raise _ForbiddenAddress
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            limit=0,  # the caller bounds how many fetches run, in all and by host
            resolver=self._resolver,
            socket_factory=checked_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_timeout_s),
        )


def _joined(base: URL, location: str, shown: str) -> URL:
    if "\\" not in location and location.isprintable():
        with contextlib.suppress(*NO_URL):
            return base.join(URL(location))
    raise ImageForbidden(f"{shown} redirects to what is no URL")


def _check_answer(response: aiohttp.ClientResponse, shown: str) -> None:
    status = response.status
    if status == 200:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise NotAnImage(f"{shown} came compressed, which was not asked for")
        return
    if status in _REFUSED:
        raise ImageForbidden(f"the server refuses {shown}: it answered {status}")
    if status >= 500 or status in _MAY_PASS:
        raise ImageUnavailable(f"{shown} is not to be had now: the server answered {status}")
    raise ImageNotFound(f"{shown} is not there: the server answered {status}")


def _check_head(head: bytes, shown: str) -> None:
    if format_of(head) is None:
        raise NotAnImage(f"{shown}: {why_not_decoded(head)}")


def _explained(error: Exception, shown: str) -> ImageError:
    """The library's own texts may repeat a URL with its query: they are not passed on."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, _ForbiddenAddress
    ):
        return ImageForbidden(f"{shown} resolves to an address that is not allowed")
    if isinstance(error, TimeoutError):
        return FetchTimeout(f"{shown} took too long to connect")
    if isinstance(error, aiohttp.ClientSSLError):  # a ValueError too, where a certificate is wrong
        return ImageUnavailable(
            f"{shown} is not to be had now: its certificate or TLS is not valid"
        )
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return ImageForbidden(f"{shown} leads to what is no URL")
    return ImageUnavailable(f"{shown} is not to be had now: {type(error).__name__}")
