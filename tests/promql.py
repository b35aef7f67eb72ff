"""PromQL as Prometheus would read it, and what there is to be asked for."""

from __future__ import annotations

from dataclasses import dataclass

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

from http_edge.metrics import EdgeMetrics
from schemas.errors import NotJson
from schemas.results import ImageInfo, Result
from stream.event import Partition
from stream.metrics import Load, Scraped, WorkerMetrics, merged

#: what Prometheus itself puts on every sample
SCRAPED = frozenset({"job", "instance"})


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, taken apart."""

    #: sample name → (label, value) that it is selected by; a value may be a pattern
    selected: dict[str, frozenset[tuple[str, str]]]
    #: labels that it groups, joins or keeps by
    grouped: frozenset[str]


def read(expression: str) -> Query:
    """Raises `ValueError` for what is no PromQL."""
    selected: dict[str, frozenset[tuple[str, str]]] = {}
    grouped: set[str] = set()

    def look(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            assert node.name, f"a selector without a name: {expression}"
            by = {(matcher.name, matcher.value) for matcher in node.matchers.matchers}
            selected[node.name] = selected.get(node.name, frozenset()) | by
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)

    promql.walk(promql.parse(expression), look)
    return Query(selected, frozenset(grouped))


def exposed_texts() -> tuple[str, str]:
    """What workers and an edge expose once they have done all that they can do."""
    worker = WorkerMetrics()
    done = Result(
        id="r",
        request_id="q",
        operation="embed",
        status="ok",
        error=None,
        image=ImageInfo(uri=None, sha256=None, width=None, height=None),
        faces=[],
        model=None,
        timings_ms={"detect": 20.0},
    )
    worker.settled("bulk", done, NotJson("…"))
    load = Load({"bulk": 1}, {"bulk": 1}, {Partition("face.images", 0): 1})
    edge = EdgeMetrics()
    edge.answered("/api/v1/verify-face", 200, 0.1)
    workers = merged([Scraped("w-0", 1, worker.exposed(load).decode())])
    return workers.decode(), edge.exposed(able_workers=1).decode()


def exposed() -> dict[str, frozenset[str]]:
    """Sample name → its labels, as prometheus-client's parser reads them, and Prometheus' own."""
    labels = {"up": SCRAPED}
    for text in exposed_texts():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                known = labels.get(sample.name, SCRAPED)
                labels[sample.name] = known | frozenset(sample.labels)
    return labels
