"""A name server of the test's own, by UDP on loopback, and a resolver that asks it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_A, _AAAA, _INTERNET = 1, 28, 1
_ANSWER, _NO_SUCH_NAME = 0x8400, 0x8403
#: what the system's resolver takes for an address
_NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?")

#: the answers to one question after the other, each a list of addresses; the last one stays
Zone = Mapping[str, Sequence[Sequence[str]]]


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        name, end = _read_name(data, 12)
        kind = int.from_bytes(data[end : end + 2], "big")
        if kind == _A:
            self.asked.append(name)
        answers = self._zone.get(name)
        addresses = (
            answers[min(max(self.asked.count(name), 1), len(answers)) - 1] if answers else ()
        )
        records = []
        for address in addresses:
            packed = ipaddress.ip_address(address).packed
            if len(packed) == (4 if kind == _A else 16):
                # a name that points to the question's, valid for no time at all
                record = struct.pack(">HHHIH", 0xC00C, kind, _INTERNET, 0, len(packed))
                records.append(record + packed)
        flags = _ANSWER if answers else _NO_SUCH_NAME
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        self._transport.sendto(head + data[12 : end + 4] + b"".join(records), sender)


class _Question(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        if not self.answer.done():
            self.answer.set_result(data)


class DnsResolver(AbstractResolver):
    """Asks the test's server for names, and the system for what it reads as an address."""

    def __init__(self, port: int, asked: list[str]) -> None:
        self._port = port
        self._system = ThreadedResolver()
        #: every name that the server was asked for an IPv4 address of, in order
        self.asked = asked

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if _NUMBERS.fullmatch(host):
            return await self._system.resolve(host, port, family)
        found = [*await self._ask(host, _A), *await self._ask(host, _AAAA)]
        if not found:
            raise OSError(f"no such name: {host}")
        return resolved(host, port, found)

    async def close(self) -> None:
        await self._system.close()

    async def _ask(self, host: str, kind: int) -> list[str]:
        labels = [label.encode() for label in host.rstrip(".").split(".")]
        name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
        question = secrets.token_bytes(2) + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0)
        question += name + struct.pack(">HH", kind, _INTERNET)
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            _Question, remote_addr=("127.0.0.1", self._port)
        )
        try:
            transport.sendto(question)
            answer = await asyncio.wait_for(protocol.answer, 5)
        finally:
            transport.close()
        return _addresses(answer)


def resolved(host: str, port: int, addresses: Sequence[str]) -> list[ResolveResult]:
    """What a resolver says of a name that has these addresses."""
    return [
        ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_NUMERICHOST,
        )
        for address in addresses
    ]


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[DnsResolver]:
    """The server runs as long as the block does; yields the resolver that asks it."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(zone), local_addr=("127.0.0.1", 0)
    )
    try:
        yield DnsResolver(transport.get_extra_info("sockname")[1], server.asked)
    finally:
        transport.close()


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def _addresses(answer: bytes) -> list[str]:
    _, at = _read_name(answer, 12)
    at += 4
    addresses = []
    for _ in range(int.from_bytes(answer[6:8], "big")):
        length = int.from_bytes(answer[at + 10 : at + 12], "big")
        addresses.append(str(ipaddress.ip_address(answer[at + 12 : at + 12 + length])))
        at += 12 + length
    return addresses
