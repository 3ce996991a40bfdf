"""The one way out: every HTTP call that the service makes, and the one importer of httpx in it.

An address comes from the configuration, or from a document of somebody whom the configuration names; still it may
point where no call of ours should go. So: https, or http to this machine alone; no redirect is followed; no
link-local address, where clouds keep their instances' credentials, whatever a name resolves to; at most 1 MiB of
answer, uncompressed, within a time limit for all of it. The system's certificates count (or SSL_CERT_FILE), and so
do its proxies; a proxy resolves names itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import truststore

from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

MAX_ANSWER_BYTES = 1024 * 1024
SECONDS = 10.0
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_MAX_URL_CHARS = 4096
# Instance metadata that is not link-local: AWS over IPv6, Alibaba.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200")))
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Answer(Value):
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(GatekeeperError):
    """Nobody answered in a way that can be used (GK605): a caller may come again."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            "GK605",
            f"{_host_of(url)} can't be reached: {why}.",
            facts={"status": 503, "error": "temporarily_unavailable", "retry_after": 10},
        )
        self.why = why


async def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Make one call within `seconds`. `url` and the answer may be hostile; a redirect is an answer like others.

    Raises:
        NoAnswer: the address may not be called, or there was no usable answer from it.
    """
    check_url(url)
    try:
        async with asyncio.timeout(seconds):
            return await _send(method, url, dict(headers or {}), body, seconds)
    except TimeoutError as error:
        raise NoAnswer(url, f"no answer within {seconds:g} seconds") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NoAnswer(url, _why(error)) from error


def send_now(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Make one call from a thread that has no event loop. Errors as `send`."""
    return asyncio.run(send(method, url, headers=headers, body=body, seconds=seconds))


async def fetch(url: str) -> bytes:
    """Return the body of an address that answers 200.

    Raises:
        NoAnswer: as `send`, and for any other status.
    """
    answer = await send("GET", url, headers={"accept": "application/json"})
    if answer.status != 200:
        raise NoAnswer(url, f"it answered with status {answer.status}")
    return answer.body


def check_url(url: str) -> None:
    """Refuse an address that may not be called, as far as its text says.

    Raises:
        NoAnswer: it is neither https nor http on this machine, names credentials, or is no address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise NoAnswer("", "its address can't be read") from None
    if not host or len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable() or "\\" in url:
        raise NoAnswer("", "its address can't be read")
    if parts.username is not None or parts.password is not None:
        raise NoAnswer(url, "its address names credentials")
    if parts.scheme != "https" and (parts.scheme != "http" or host not in _LOOPBACK):
        raise NoAnswer(url, "plain http is spoken on this machine only")


async def _send(method: str, url: str, headers: dict[str, str], body: bytes | None, seconds: float) -> Answer:
    asked = httpx.URL(url)
    proxy = _proxy_for(asked)
    extensions: dict[str, str] = {}
    if proxy is None:
        # The address that was checked is the one that is called: a name may resolve to another the next moment.
        address = await _resolved(asked)
        headers["host"] = asked.netloc.decode("ascii")
        extensions["sni_hostname"] = asked.host
        target = asked.copy_with(host=str(address))
    else:
        target = asked
    headers["accept-encoding"] = "identity"
    async with (
        httpx.AsyncClient(
            verify=_tls_context(), proxy=proxy, trust_env=False, follow_redirects=False, timeout=seconds
        ) as client,
        client.stream(method, target, headers=headers, content=body, extensions=extensions) as response,
    ):
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise NoAnswer(url, "its answer is compressed, unasked")
        parts, size = [], 0
        async for part in response.aiter_raw():
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise NoAnswer(url, "its answer is longer than 1 MiB")
            parts.append(part)
        given = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=given, body=b"".join(parts))


async def _resolved(url: httpx.URL) -> _IpAddress:
    """Return the address to call. Raises `NoAnswer` where one that the name resolves to may not be called."""
    port = url.port or (443 if url.scheme == "https" else 80)
    addresses = await _addresses_of(url.host, port)
    for address in addresses:
        if not _may_be_called(address) or (url.scheme == "http" and not address.is_loopback):
            raise NoAnswer(str(url), "its name leads to an address that is not called")
    if not addresses:
        raise NoAnswer(str(url), "its name leads nowhere")
    if url.scheme == "http" and len(addresses) > 1:
        return await _listening(addresses, port)
    return addresses[0]


async def _addresses_of(host: str, port: int) -> list[_IpAddress]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


async def _listening(addresses: list[_IpAddress], port: int) -> _IpAddress:
    """Return the first of this machine's own addresses that somebody listens at: "localhost" has two."""
    for address in addresses[:-1]:
        try:
            _, writer = await asyncio.open_connection(str(address), port)
        except OSError:
            continue
        writer.close()
        return address
    return addresses[-1]


def _may_be_called(address: _IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return _may_be_called(address.ipv4_mapped)
    forbidden = address.is_link_local or address.is_multicast or address.is_unspecified
    return not forbidden and address not in _METADATA


def _proxy_for(url: httpx.URL) -> str | None:
    if url.host in _LOOPBACK or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    source = os.environ.get("SSL_CERT_FILE", "")
    if source:
        return ssl.create_default_context(cafile=source)
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _host_of(url: str) -> str:
    return (urlsplit(url).netloc.rpartition("@")[2] if url else "") or "The other service"


def _why(error: BaseException) -> str:
    """Say in a few words why there was no answer. What is quoted is this system's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate isn't accepted ({seen.verify_message})"
        if isinstance(seen, ssl.SSLError):
            return "TLS failed"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
