"""Whether what takes long is done whole, by `make soak` and `make faults`, or shorter."""

from __future__ import annotations

import os

SOAK = os.environ.get("SOAK", "").lower() in {"1", "true"}
