"""A connection is judged by the address that it goes to, in whatever form that is written."""

from __future__ import annotations

import pytest

from stream.io.addresses import may_connect

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "240.0.0.1",
    "192.88.99.1",
    "192.0.2.1",
    "fd00::1",
    "fec0::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:808:808::1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "169.254.169.254",
    "169.254.170.2",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.1.2.3",
    "ff02::1",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:0:0:0:0:5601:5601",  # Teredo hides its client inverted
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_for_all(address: str) -> None:
    assert may_connect(address, public_only=True)
    assert may_connect(address, public_only=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_for_hosts_that_are_named(address: str) -> None:
    assert not may_connect(address, public_only=True)
    assert may_connect(address, public_only=False)


@pytest.mark.parametrize("address", NEVER)
def test_link_local_metadata_and_senseless_addresses_are_for_nobody(address: str) -> None:
    assert not may_connect(address, public_only=True)
    assert not may_connect(address, public_only=False)
