"""An S3 server on loopback, whose answers a test can spoil."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Spoilt = Literal["refused", "lost", "denied", "elsewhere"] | None
"""What becomes of a request: not done, as the server is busy; done, but said to have failed; not
allowed; of another region; or nothing unusual."""
_SOMEBODY = "AWS4-HMAC-SHA256 Credential=a/20260101/x/s3/aws4_request"
_ANSWERS = {
    "refused": ("503 Slow Down", "SlowDown"),
    "lost": ("500 Internal Server Error", "InternalError"),
    "denied": ("403 Forbidden", "AccessDenied"),
    "elsewhere": ("400 Bad Request", "AuthorizationHeaderMalformed"),
}


class ObjectServer:
    """moto's server; use it as a context manager."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._buckets = 0
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.forget()

    def forget(self) -> None:
        """Answer as usual again."""
        self.spoil: Callable[[str, str], Spoilt] = lambda _method, _path: None
        """Given the method and the path of a request."""
        self.honours_conditions = True

    def bucket(self) -> str:
        """Make a bucket and return the address of a store in it."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        request = urllib.request.Request(f"{self.address}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        return f"s3://{name}/team"

    def contents(self, address: str) -> dict[str, bytes]:
        """Return every object of the bucket of a store, by its name."""
        bucket = f"{self.address}/{address.removeprefix('s3://').partition('/')[0]}"
        listed = _got(f"{bucket}?list-type=2").decode()
        names = re.findall(r"<Key>(.*?)</Key>", listed)
        return {name: _got(f"{bucket}/{name}") for name in names}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not self.honours_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
            environ.pop("HTTP_IF_MATCH", None)
        spoilt = self.spoil(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if spoilt is None:
            return self._moto(environ, start)
        if spoilt == "lost":
            for _ in self._moto(environ, lambda *_: _ignored):
                pass
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"].read(length)
        status, code = _ANSWERS[spoilt]
        start(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code></Error>".encode()]


def _got(address: str) -> bytes:
    request = urllib.request.Request(address, headers={"Authorization": _SOMEBODY})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def _ignored(_: Any) -> None:
    pass
