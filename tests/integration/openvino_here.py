"""Whether OpenVINO can compute on this machine."""

from __future__ import annotations

import pytest

from schemas.results import Precision
from stream.models import openvino_session
from stream.models.download import PackUnavailable
from tests.conftest import skip_or_fail


def need_openvino(precision: Precision) -> None:
    """Skip where it cannot. With CI=true it must be installed; bf16 the processor may lack."""
    try:
        openvino_session.require("fp32")
    except PackUnavailable as missing:
        skip_or_fail(str(missing))
    try:
        openvino_session.require(precision)
    except PackUnavailable as missing:
        pytest.skip(str(missing))
