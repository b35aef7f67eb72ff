"""Create the topics on a real cluster, or check those that are there. Changes none of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they lack an `__all__`
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import DEFAULT_PARTITIONS, TopicSpec
from stream.io.kafka import KafkaSettings

#: the cluster's own `default.replication.factor`
BROKER_DEFAULT_REPLICATION = -1


_SEEN_INTERVAL_S = 0.02


class TopicsFailed(RuntimeError):
    """The cluster cannot be reached, or refused. `str()` says which and why."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is on the cluster now, and what of it is not as wanted."""

    name: str
    partitions: int
    #: of the settings that matter here, those that the cluster says
    config: Mapping[str, str]
    created: bool
    differences: tuple[str, ...] = ()

    @property
    def state(self) -> Literal["created", "ok", "differs"]:
        if self.differences:
            return "differs"
        return "created" if self.created else "ok"

    @property
    def reason(self) -> str:
        """The differences in one line; empty when there are none."""
        return "; ".join(self.differences)


def ensure_topics(
    settings: KafkaSettings,
    partitions: int = DEFAULT_PARTITIONS,
    replication: int = BROKER_DEFAULT_REPLICATION,
    timeout_s: float = 30.0,
) -> list[TopicState]:
    """Create what is missing, and compare what exists. More partitions than wanted are fine.

    partitions: of the lanes and the results; replication: copies of each, -1 for the
    cluster's default; timeout_s: for each of the three requests.
    Raises `TopicsFailed`.
    """
    if settings.kafka_embedded:
        raise TopicsFailed("the embedded broker has its topics from the start, and no others")
    specs = settings.topics.specs(partitions)
    admin = AdminClient(settings.librdkafka(log_level=0))
    try:
        existing = admin.list_topics(timeout=timeout_s).topics
        missing = [spec for spec in specs if spec.name not in existing]
        created = _create(admin, missing, replication, timeout_s)
        if missing:
            existing = _seen(admin, {spec.name for spec in specs}, timeout_s)
        found = _configs(admin, [spec for spec in specs if spec.name not in created], timeout_s)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        raise TopicsFailed(f"{settings.kafka_bootstrap_servers}: {reason.str()}") from None
    return [
        TopicState(spec.name, spec.partitions, dict(spec.config), created=True)
        if spec.name in created
        else _compared(spec, len(existing[spec.name].partitions), found[spec.name])
        for spec in specs
    ]


def delete_topics(settings: KafkaSettings, names: Iterable[str], timeout_s: float = 30.0) -> None:
    """Remove topics with all that is in them. Raises `TopicsFailed`."""
    admin = AdminClient(settings.librdkafka(log_level=0))
    try:
        for done in admin.delete_topics(list(names), request_timeout=timeout_s).values():
            done.result()
    except KafkaException as error:
        raise TopicsFailed(str(error)) from None


def _create(
    admin: AdminClient, specs: list[TopicSpec], replication: int, timeout_s: float
) -> set[str]:
    """The names that were created now: another may have been quicker."""
    if not specs:
        return set()
    wanted = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=replication,
            config=dict(spec.config),
        )
        for spec in specs
    ]
    created = set()
    for name, done in admin.create_topics(wanted, request_timeout=timeout_s).items():
        try:
            done.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        else:
            created.add(name)
    return created


def _seen(admin: AdminClient, names: set[str], timeout_s: float) -> dict[str, Any]:
    """The topics once the brokers show all of `names`: they hear of new ones after the answer."""
    deadline = time.monotonic() + timeout_s
    while not names <= (topics := admin.list_topics(timeout=timeout_s).topics).keys():
        if time.monotonic() > deadline:
            raise TopicsFailed(f"created, and not to be seen: {sorted(names - topics.keys())}")
        time.sleep(_SEEN_INTERVAL_S)
    return dict(topics)


def _configs(
    admin: AdminClient, specs: list[TopicSpec], timeout_s: float
) -> dict[str, dict[str, str]]:
    """The settings that matter here, by topic."""
    if not specs:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    answers: dict[Any, Any] = admin.describe_configs(resources, request_timeout=timeout_s)
    names = {"cleanup.policy"}.union(*(spec.config for spec in specs))
    return {
        resource.name: {
            name: entry.value
            for name, entry in sorted(done.result().items())
            if name in names and entry.value is not None
        }
        for resource, done in answers.items()
    }


def _compared(spec: TopicSpec, partitions: int, config: Mapping[str, str]) -> TopicState:
    """What would lose or refuse events differs; how long they are kept is the operator's."""
    differences = []
    if partitions < spec.partitions:
        differences.append(f"{partitions} partitions, {spec.partitions} are wanted")
    largest, wanted = int(config["max.message.bytes"]), int(spec.config["max.message.bytes"])
    if largest < wanted:
        differences.append(f"max.message.bytes is {largest}, {wanted} is wanted")
    policy = config["cleanup.policy"]
    compacts = "compact" in spec.config.get("cleanup.policy", "delete")
    if compacts and "compact" not in policy:
        differences.append(f"cleanup.policy is {policy}: heartbeats would pile up")
    if not compacts and "compact" in policy:
        differences.append(f"cleanup.policy is {policy}: events of one key would be dropped")
    return TopicState(spec.name, partitions, config, created=False, differences=tuple(differences))
