"""https stays https, and is asked only where its certificate is vouched for."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp.connector
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from schemas.errors import ImageForbidden, ImageUnavailable
from tests.security.canary import IMAGE, canary, fetching, refusal


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, vouched for by itself; key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def _vouched_for(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the system's own authorities vouch for others."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    with monkeypatch.context() as patched:
        patched.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusting)
        yield


@asynccontextmanager
async def _over_tls(certificate: Path, answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """`https://127.0.0.1:port`, and the requests that it read."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        finally:
            writer.transport.abort()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_a_server_that_nobody_vouches_for_is_not_asked(certificate: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + IMAGE
    async with _over_tls(certificate, answer) as (at, asked), fetching(at, {}) as reader:
        refused = await refusal(reader, f"{at}/a?token=quote-me-not")
    assert isinstance(refused, ImageUnavailable)
    assert "certificate" in str(refused)
    assert "quote-me-not" not in str(refused)
    assert asked == []


@pytest.mark.usefixtures("_vouched_for")
async def test_no_redirect_leads_from_https_to_http_that_is_not_listed(certificate: Path) -> None:
    async with canary() as watched:
        to = f"http://127.0.0.1:{watched.port}/a"
        answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % to.encode()
        async with _over_tls(certificate, answer) as (at, asked):
            listed = f"{at},https://127.0.0.1:{watched.port}/,https://*"
            async with fetching(listed, {}) as reader:
                refused = await refusal(reader, f"{at}/a")
    assert isinstance(refused, ImageForbidden)
    assert len(asked) == 1
    assert watched.called == []
