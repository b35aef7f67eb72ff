"""An S3 over HTTP, by moto, that can be stopped and started again with all that it holds."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

#: anything but a form, which the server would read for its fields
_HEADERS = {"Content-Type": "application/octet-stream"}


class S3:
    """`with S3("photos") as s3:` with these buckets."""

    def __init__(self, *buckets: str) -> None:
        self._buckets = buckets
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        self._server.start()
        host, self._port = self._server.get_host_and_port()
        self.url = f"http://{host}:{self._port}"
        for bucket in self._buckets:
            self._put(f"{self.url}/{bucket}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """For a process of ours that shall use it."""
        return environment_of(self.url)

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """key: as it stands in the URL's path. Returns the object's address."""
        self._put(f"{self.url}/{bucket}/{key}", data)
        return f"s3://{bucket}/{key}"

    def stop(self) -> None:
        """Nothing listens any more."""
        self._server.stop()

    def start(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()

    def _put(self, url: str, data: bytes = b"") -> None:
        with urlopen(Request(url, data=data, headers=_HEADERS, method="PUT")) as answer:
            assert answer.status == 200


def environment_of(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
