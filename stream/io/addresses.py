"""Which IP addresses a fetch may connect to: asked for the very address of each connection.

A host that `IMAGE_SOURCES` names in full may be private or the machine itself. One that only a
wildcard matches must be on the public internet, whatever its name resolves to.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

#: cloud metadata and wire servers that are not link-local
_METADATA_V4 = frozenset(
    IPv4Address(address)
    for address in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server, a public address
        "192.0.0.192",  # Oracle Cloud
    )
)
_METADATA_V6 = tuple(
    IPv6Network(network)
    for network in (
        "fd00:ec2::/32",  # AWS: of instances ::254, of Kubernetes' pods ::23, and their like
        "fd20:ce::254/128",  # Google Cloud
        "fd00:42::42/128",  # Scaleway
        "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
    )
)
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_RELAY_6TO4 = IPv4Network("192.88.99.0/24")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_DOCUMENTATION_V6 = IPv6Network("3fff::/20")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_V4_COMPATIBLE = IPv6Network("::/96")
_V4_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_V4_LAST = (_NAT64, _NAT64_LOCAL, _V4_COMPATIBLE, _V4_TRANSLATED)
_TEREDO = IPv6Network("2001::/32")


def may_connect(address: str, *, public_only: bool) -> bool:
    """Whether an IP address, as text, may be connected to. What is no address may not."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _v4_allowed(parsed, public_only=public_only)
    return _v6_allowed(parsed, public_only=public_only)


def _v4_allowed(address: IPv4Address, *, public_only: bool) -> bool:
    if (
        address.is_link_local
        or address.is_multicast
        or address in _THIS_NETWORK
        or address in _METADATA_V4
        or int(address) == 0xFFFFFFFF
    ):
        return False
    if not public_only:
        return True
    return address.is_global and not address.is_reserved and address not in _RELAY_6TO4


def _v6_allowed(address: IPv6Address, *, public_only: bool) -> bool:
    if (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or any(address in network for network in _METADATA_V6)
    ):
        return False
    if address.is_loopback:
        return not public_only
    embedded = _embedded_v4(address)
    if embedded is not None and not _v4_allowed(embedded, public_only=public_only):
        return False
    if not public_only:
        return True
    if address in _NAT64:
        return True
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and address not in _TEREDO
        and address not in _DOCUMENTATION_V6
    )


def _embedded_v4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a packet to an IPv6 address ends up at, where it says one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _V4_LAST):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
