"""The command line starts fast, and an error with a known cause is one line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException
from pydantic import ValidationError

from cli.failures import explain
from cli.main import COMMANDS, cli
from schemas.errors import ImageForbidden
from stream.io.kafka import KafkaSettings
from stream.models.download import PackUnavailable

HEAVY = ("numpy", "cv2", "faust", "onnxruntime", "confluent_kafka", "pydantic", "rich")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from cli.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_listed_can_be_asked_for_help(name: str) -> None:
    asked = CliRunner().invoke(cli, [name, "--help"])
    assert asked.exit_code == 0, asked.output
    assert f" {name} [OPTIONS]" in asked.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["nonsense"]).exit_code == 2


def test_a_wrong_setting_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "not a server")
    with pytest.raises(ValidationError) as caught:
        KafkaSettings()
    failure = explain(caught.value)
    assert failure is not None
    assert failure.exit_code == 2
    assert failure.message == "settings: KAFKA_BOOTSTRAP_SERVERS: 'not a server' is no host:port"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KafkaException(KafkaError(KafkaError._TRANSPORT, "away")), "Kafka: away"),
        (PackUnavailable("no pack"), "no pack"),
        (ImageForbidden("not allowed"), "not allowed"),
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory: 'x'"),
    ],
)
def test_a_known_cause_is_one_line_and_exit_code_1(error: Exception, message: str) -> None:
    failure = explain(error)
    assert failure is not None
    assert failure.exit_code == 1
    assert failure.message.endswith(message)
    assert "\n" not in failure.message


def test_an_unknown_error_keeps_its_traceback() -> None:
    assert explain(ZeroDivisionError()) is None


def test_debug_keeps_the_traceback_of_a_known_cause() -> None:
    environ = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "not a server"}
    command = [sys.executable, "-m", "cli.main"]
    plain = subprocess.run(
        [*command, "worker"], capture_output=True, text=True, env=environ, check=False
    )
    debug = subprocess.run(
        [*command, "--debug", "worker"], capture_output=True, text=True, env=environ, check=False
    )
    assert plain.returncode == 2
    assert plain.stderr.startswith("Error: settings: KAFKA_BOOTSTRAP_SERVERS")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
