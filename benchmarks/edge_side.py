"""The edge: workers like the stream's, asked over HTTP through an edge's own process."""

from __future__ import annotations

from benchmarks.batches import Batch, Run
from benchmarks.deployment import Deployment
from benchmarks.http_callers import call
from schemas.topics import Operation

ROUTES: dict[Operation, str] = {
    "detect": "verify-face",
    "embed": "extract-embedding",
    "analyze": "analyze-face-advanced",
}


class EdgeSide:
    """`async with edge.home.awake(): await edge.run(batch, callers)`."""

    name = "edge"

    def __init__(self, deployment: Deployment) -> None:
        self.home = deployment

    @property
    def pids(self) -> list[int]:
        """Of the workers and of the edge; none asleep."""
        up = self.home.up
        return [] if up is None else [*up.supervisor.pids, *up.edge_pids]

    async def run(self, batch: Batch, callers: int | None) -> Run:
        """Raises `BenchmarkFailed` for an answer that is none."""
        up = self.home.up
        assert up is not None, "asleep"
        assert up.edge is not None, "it is started with its workers"
        assert callers is not None, "an edge is asked by callers"
        url = f"{up.edge.url}/api/v1/{ROUTES[batch.operation]}?max_faces={batch.max_faces}"
        headers = {"Authorization": f"Bearer {self.home.environ['API_KEY']}"}
        return await call(up.session, url, batch, callers, headers)
