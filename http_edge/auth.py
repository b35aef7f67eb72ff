"""`Authorization: Bearer KEY`, compared in constant time; several keys, so that they can rotate."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from pydantic import SecretStr

from http_edge.errors import Unauthorized

CHALLENGE = "Bearer"


class Keys:
    """The keys that are let in. Holds their hashes alone: of equal length, and of use to nobody."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._digests = [_digest(key.get_secret_value()) for key in keys]

    def admit(self, authorization: str | None) -> int:
        """The number of the key in a header's value. Raises `Unauthorized`.

        Every key is compared, whichever fits: time tells neither which nor how much of it.
        """
        scheme, _, given = (authorization or "").strip().partition(" ")
        digest = _digest(given.strip())
        fits = [hmac.compare_digest(digest, known) for known in self._digests]
        if scheme.lower() != "bearer" or not any(fits):
            raise Unauthorized("Missing or invalid API key")
        return fits.index(True)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
