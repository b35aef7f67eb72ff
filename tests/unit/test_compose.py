"""docker-compose.yml refers to what is there: commands, settings, ports, files, targets."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from http_edge.settings import EdgeSettings
from schemas.topics import DEFAULT_PARTITIONS
from stream.settings import WorkerSettings
from tests.command_lines import check_command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "facestream-" in service["image"]}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
#: read by obstore, as .env.example says
_OBJECT_STORE = {
    "AWS_ACCESS_KEY_ID",
    "AWS_ALLOW_HTTP",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
}
_SETTINGS = {
    "worker": {name.upper() for name in WorkerSettings.model_fields},
    "edge": {name.upper() for name in EdgeSettings.model_fields},
    "topics": {"KAFKA_BOOTSTRAP_SERVERS", "TOPIC_PREFIX"},
}
#: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def environment(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}


def instruction(target: str, word: str) -> str:
    """What stands behind the word, in a final stage of the Dockerfile."""
    stage = re.search(
        rf"^FROM runtime AS {target}$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
    assert stage is not None
    found = re.search(rf"^{word} (.*)$", stage[1], re.MULTILINE)
    assert found is not None
    return found[1]


def published() -> Iterator[tuple[str, str, str]]:
    """(service, host's part, port inside)"""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            host, _, inside = port.rpartition(":")
            yield name, host, inside


@pytest.mark.parametrize("name", OURS)
def test_what_our_services_run_is_a_command_of_ours(name: str) -> None:
    command = OURS[name].get("command")
    default = re.search(
        rf"FROM runtime AS {name}.*?^CMD (\[.*?\])", DOCKERFILE, re.DOTALL | re.MULTILINE
    )
    words = command or (yaml.safe_load(default[1]) if default else None)
    assert words is not None
    check_command(shlex.join(words))
    asked = OURS[name]["healthcheck"].get("test")
    if asked is not None:
        assert asked[:2] == ["CMD", "facestream"]
        check_command(shlex.join(asked[2:]))


@pytest.mark.parametrize("name", OURS)
def test_what_our_services_are_told_are_settings_that_they_know(name: str) -> None:
    assert environment(name).keys() <= _SETTINGS[name] | _OBJECT_STORE


@pytest.mark.parametrize("name", ["worker", "edge"])
def test_the_settings_fit_together_with_nothing_but_the_secrets_in_env(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in _SETTINGS[name]:
        monkeypatch.delenv(setting, raising=False)
    for key, value in environment(name).items():
        monkeypatch.setenv(key, filled_in(value))
    settings = WorkerSettings() if name == "worker" else EdgeSettings()
    assert settings.kafka_bootstrap_servers == "kafka:19092"
    assert settings.blob_store_url == "s3://facestream/blobs"
    defaults = type(settings).model_fields
    for key in environment(name).keys() & _SETTINGS[name]:
        if environment(name)[key].endswith(":-}"):
            assert getattr(settings, key.lower()) == defaults[key.lower()].default


def filled_in(value: str) -> str:
    """As compose does it, with a `.env` that holds what it must."""

    def fill(found: re.Match[str]) -> str:
        return found["rest"] if found["kind"] == "-" else "a-secret-of-its-own"

    return _VARIABLE.sub(fill, value)


def test_no_secret_is_in_it_and_one_that_is_missing_is_asked_for() -> None:
    secret = re.compile(r"(KEY|PASSWORD|SECRET)")
    for name in SERVICES:
        for key, value in environment(name).items():
            if (secret.search(key) and key != "AWS_ACCESS_KEY_ID") or key == "API_KEY":
                found = _VARIABLE.fullmatch(value)
                assert found is not None, f"{name}: {key}"
                assert found["kind"] == "?", f"{name}: {key} has a default"
                assert found["rest"], f"{name}: {key} says nothing"


def test_the_key_of_callers_is_given_to_the_edge_alone() -> None:
    holders = {name for name in SERVICES if "API_KEY" in str(SERVICES[name])}
    assert holders == {"edge"}


def test_every_variable_of_env_is_explained_in_its_example() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^#(\w+)=", example, re.MULTILINE))
    assert {found["name"] for found in _VARIABLE.finditer(TEXT)} <= known


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_confined_and_started_again(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc"} & service.keys()
    once = any(
        needed.get(name, {}).get("condition") == "service_completed_successfully"
        for needed in (other.get("depends_on", {}) for other in SERVICES.values())
    )
    assert service["restart"] == ("no" if once else "unless-stopped")
    assert once or "test" in service["healthcheck"]


def test_our_images_have_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {service["image"].rpartition(":")[2] for service in OURS.values()} == {
        project["version"]
    }


@pytest.mark.parametrize("name", OURS)
def test_what_is_built_is_a_target_of_the_dockerfile_with_its_arguments(name: str) -> None:
    build = OURS[name]["build"]
    assert re.search(rf"^FROM \S+ AS {build['target']}$", DOCKERFILE, re.MULTILINE)
    assert (ROOT / build["context"] / "Dockerfile").is_file()
    assert build.get("args", {}).keys() <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))


def test_who_depends_on_another_waits_until_that_is_healthy_or_has_ended_well() -> None:
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    for needed in waits.values():
        assert needed.keys() <= SERVICES.keys()
        for other, how in needed.items():
            ends = SERVICES[other]["restart"] == "no"
            wanted = "service_completed_successfully" if ends else "service_healthy"
            assert how["condition"] == wanted
    assert {"topics", "s3"} <= waits["worker"].keys() & waits["edge"].keys()
    assert "kafka" in waits["topics"]


def test_volumes_and_networks_are_declared_and_files_are_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (ROOT / source).is_dir(), volume
                assert rest.endswith(":ro"), volume
            else:
                assert source in COMPOSE["volumes"], volume
        assert set(service.get("networks", [])) <= COMPOSE["networks"].keys(), name
    used = {v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}
    assert COMPOSE["volumes"].keys() <= used


def test_ports_are_published_on_the_loopback_address_alone_and_once() -> None:
    hosts = [filled_in(host) for _, host, _ in published()]
    assert all(host.startswith("127.0.0.1:") for host in hosts)
    assert len(hosts) == len(set(hosts))
    assert "worker" not in {name for name, _, _ in published()}, "it could not be scaled"
    assert all("container_name" not in service for service in SERVICES.values())


def test_prometheus_finds_every_worker_and_edge_where_they_listen() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    found = {
        job["job_name"]: (sd["names"], sd["type"], sd["port"])
        for job in config["scrape_configs"]
        for sd in job["dns_sd_configs"]
    }
    assert found == {
        "worker": (["worker"], "A", int(environment("worker")["METRICS_PORT"])),
        "edge": (["edge"], "A", int(environment("edge")["PORT"])),
    }
    for name in found:
        assert set(SERVICES[name]["networks"]) & set(SERVICES["prometheus"]["networks"])
        exposes = re.search(
            rf"FROM runtime AS {name}.*?^EXPOSE (\d+)", DOCKERFILE, re.DOTALL | re.MULTILINE
        )
        assert exposes is not None
        assert int(exposes[1]) == found[name][2]
    assert ("edge", environment("edge")["PORT"]) in {(name, port) for name, _, port in published()}


def test_grafana_reads_its_dashboards_and_asks_this_prometheus() -> None:
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    inside = {path: ROOT / folder for folder, path in mounts.items() if folder.startswith(".")}
    folder = ROOT / "deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards/facestream.yml").read_text())["providers"]
    dashboards = inside[provider["options"]["path"]]
    assert {path.name for path in dashboards.glob("*.json")} == {"stream.json", "edge.json"}
    home = Path(environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (inside[str(home.parent)] / home.name).is_file()
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(SERVICES["grafana"]["networks"]) & set(SERVICES["prometheus"]["networks"])


def test_kafka_and_the_store_are_where_the_stream_looks_for_them() -> None:
    inside = dict(
        part.split("://") for part in environment("kafka")["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    for name in OURS:
        assert environment(name)["KAFKA_BOOTSTRAP_SERVERS"] == inside["INSIDE"]
    assert ("kafka", "9092") in {(name, port) for name, _, port in published()}
    assert inside["HOST"] == "localhost:9092"
    command = SERVICES["s3"]["command"]
    port = command[command.index("--port") + 1]
    assert environment("worker")["AWS_ENDPOINT_URL"] == f"http://s3{port}"
    bucket = WorkerSettings(blob_store_url=environment("worker")["BLOB_STORE_URL"])
    folder = SERVICES["bucket"]["entrypoint"][-1]
    assert folder == f"{command[-1]}/{bucket.blob_store_url.split('/')[2]}"
    assert SERVICES["bucket"]["volumes"] == SERVICES["s3"]["volumes"]


def test_a_stop_gives_workers_and_edge_the_time_that_they_may_take() -> None:
    for name, longest_s in (
        ("worker", WorkerSettings.model_fields["worker_timeout"].default),
        ("edge", EdgeSettings.model_fields["request_timeout_s"].default),
    ):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > longest_s


def test_as_many_partitions_are_made_as_by_default() -> None:
    command = SERVICES["topics"]["command"]
    assert int(command[command.index("--partitions") + 1]) == DEFAULT_PARTITIONS
