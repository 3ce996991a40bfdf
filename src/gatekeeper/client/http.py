"""Calls to the service: the one place that imports httpx.

What answers is not trusted: a call has one deadline for everything (name, connect, TLS, headers, body), a
body at most 1 MiB, no redirect, no compression. Certificates are checked by the system's trust store, or by
`ca_bundle` or `SSL_CERT_FILE` in its place; plain http goes to this machine alone, past every proxy. What an
answer means is for `session`.
"""

from __future__ import annotations

import os
import ssl
import threading
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Self

import httpx
import truststore

from gatekeeper import __version__
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.config.keys import host_of, is_loopback
from gatekeeper.documents.api import MAX_ANSWER_BYTES
from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMPATIENT = "it didn't answer in time"


class Reply(Value):
    """An answer as it came. `headers` has lower-case names; several of one name are joined by commas."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Http:
    """Calls to one service. Not for several threads; `close` it, or use it in a `with`."""

    def __init__(self, service: str, *, ca_bundle: str, timeout: float) -> None:
        """Prepare calls to `service` (checked configuration), each within `timeout` seconds.

        Raises:
            GatekeeperError: GK101, the certificates or a proxy variable can't be used, or `service` is
                plain http elsewhere than on this machine.
        """
        self.service = service
        self.timeout = timeout
        self._loopback = is_loopback(host_of(service))
        if not service.startswith("https://") and not self._loopback:
            raise GatekeeperError("GK101", f"{service} is plain http, which is for this machine alone.")
        self._ends_at = inf
        self._context = _tls_context(service, ca_bundle)
        self._client = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # A command may end without closing; the sockets must not wait for the garbage collector's warning.
        client = getattr(self, "_client", None)
        if client is not None:
            client.close()

    def end_within(self, seconds: float) -> None:
        """Let all further calls together take at most `seconds`, whatever each may take."""
        self._ends_at = monotonic() + seconds

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Make one call, whatever its status, within `timeout` seconds in all (the usual time where None).

        Raises:
            ServiceUnreachable: GK601, no connection, no TLS, no answer in time; GK602, an answer that breaks
                HTTP, is cut short, compressed or longer than 1 MiB.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise RuntimeError("a call's path begins with one slash")
        limit = min(self.timeout if timeout is None else timeout, self._ends_at - monotonic())
        if limit <= 0:
            raise self._unreachable(_IMPATIENT)
        request = self._client.build_request(
            method, self.service + path, headers=dict(headers or {}), content=body, timeout=limit
        )
        call = _Call(self._client, request)
        # The client's own limits begin anew with every byte, and the name is looked up without any: a thread
        # that is left behind is the only limit that holds against a body that drips.
        threading.Thread(target=call.run, name="gatekeeper-call", daemon=True).start()
        try:
            outcome = call.outcome.get(timeout=limit)
        except Empty:
            self._abandon(call)
            raise self._unreachable(_IMPATIENT) from None
        except BaseException:
            self._abandon(call)
            raise
        match outcome:
            case Reply():
                return outcome
            case _BadAnswer(reason=reason):
                raise ServiceUnreachable("GK602", f"What answers at {self.service} can't be read: {reason}.")
            case httpx.TimeoutException():
                raise self._unreachable(_IMPATIENT) from outcome
            case httpx.RemoteProtocolError() | httpx.DecodingError():
                reason = "it breaks HTTP, or ends too early"
                raise ServiceUnreachable(
                    "GK602", f"What answers at {self.service} can't be read: {reason}."
                ) from outcome
            case httpx.TransportError() | OSError():
                raise self._unreachable(_why(outcome)) from outcome
            case _:
                raise outcome

    def _connect(self) -> httpx.Client:
        try:
            return httpx.Client(
                verify=self._context,
                trust_env=not self._loopback,
                follow_redirects=False,
                limits=httpx.Limits(keepalive_expiry=3.0),  # less than servers keep an idle connection
                headers={"User-Agent": f"gatekeeper/{__version__}", "Accept-Encoding": "identity"},
            )
        except (ValueError, httpx.InvalidURL, ImportError) as error:
            raise GatekeeperError(
                "GK101",
                f"A proxy variable can't be used: {error}.",
                remedy="correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
            ) from error

    def _abandon(self, call: _Call) -> None:
        # The thread may hold the old client's connection for a while; nothing else must wait for it.
        call.abandoned.set()
        self._client = self._connect()

    def _unreachable(self, why: str) -> ServiceUnreachable:
        return ServiceUnreachable("GK601", f"{self.service} can't be reached: {why}.")


class _BadAnswer(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Call:
    """One call in a thread of its own, which may be left behind."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        self._client = client
        self._request = request
        self.abandoned = threading.Event()
        self.outcome: SimpleQueue[Reply | BaseException] = SimpleQueue()

    def run(self) -> None:
        """Make the call and put what came of it, whatever it is."""
        try:
            self.outcome.put(self._fetch())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.outcome.put(error)
        if self.abandoned.is_set():
            self._client.close()

    def _fetch(self) -> Reply:
        response = self._client.send(self._request, stream=True)
        try:
            # Inflating would make a small body a big one, and we asked for none.
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise _BadAnswer("it is compressed, unasked")
            parts, size = [], 0
            for part in response.iter_raw():
                size += len(part)
                if self.abandoned.is_set():
                    raise _BadAnswer("nobody waits for it")
                if size > MAX_ANSWER_BYTES:
                    raise _BadAnswer("it is longer than 1 MiB")
                parts.append(part)
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(status=response.status_code, body=b"".join(parts), headers=headers)


def _tls_context(service: str, ca_bundle: str) -> ssl.SSLContext:
    if not service.startswith("https://"):
        # Never used; loading the system's certificates for it would cost more than the call.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    source, name = ca_bundle, "ca_bundle"
    if not source:
        source, name = os.environ.get("SSL_CERT_FILE", ""), "SSL_CERT_FILE"
    if not source:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=source)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no certificates in it"
        raise GatekeeperError(
            "GK101",
            f"{name} is {source}, which can't be used: {reason}.",
            remedy=f"let {name} name a file of certificates in PEM form",
        ) from error


def _why(error: BaseException) -> str:
    """Say in a few words why a connection failed. What is quoted is the system's, not the service's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate isn't accepted ({seen.verify_message})"
        if isinstance(seen, ssl.SSLError):
            return "TLS failed"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        seen = seen.__cause__ or seen.__context__
    return str(error) or type(error).__name__
