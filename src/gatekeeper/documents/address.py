"""A service's address, which is the issuer in every document: one spelling, judged alike on both sides.

The service makes no issuer that a client would refuse, and no client accepts an address that another parser
could read differently. A launch reads it: `re`, `ipaddress` and `urllib` are left out.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed

_DIGITS = "0123456789"
_HOST = "abcdefghijklmnopqrstuvwxyz" + _DIGITS + ".-_"


def check_address(text: str) -> str:
    """Return a hostile `text` that is a service's address exactly: `https://HOST[:PORT]`, http for loopback alone.

    Raises:
        Malformed: anything else. The reason says what is expected.
    """
    if not text:
        raise Malformed("an address such as https://gatekeeper.acme.example is expected")
    scheme, mark, authority = text.partition("://")
    if not mark or scheme not in ("https", "http"):
        raise Malformed("the address must begin with https://")
    # It is compared byte by byte: one spelling, and no parser may read it differently.
    host, port = _split_port(authority)
    bare = host[1:-1] if host == "[::1]" else host
    if not bare or (host != "[::1]" and bare.strip(_HOST)) or bare[0] in ".-" or len(host) > 253:
        raise Malformed(
            "the address must be a host in lower case with at most a port: no path, query, user or trailing slash"
        )
    if port is not None and (
        not port or port.strip(_DIGITS) or port[0] == "0" or len(port) > 5 or int(port) > 65535
    ):
        raise Malformed("the address has an impossible port")
    if scheme == "http" and not is_loopback(host):
        raise Malformed("plain http is for loopback alone; the address must begin with https://")
    return text


def is_loopback(host: str) -> bool:
    """Say whether a host can only be this machine (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).

    Names below `.localhost` are left out: some resolvers ask the network for them (RFC 6761 §6.3 only should).
    """
    if host in ("localhost", "[::1]"):
        return True
    parts = host.split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(part and not part.strip(_DIGITS) and len(part) <= 3 and int(part) < 256 for part in parts)
    )


def host_of(address: str) -> str:
    """Return the host of a checked address, without its port."""
    authority = address.split("://", 1)[1]
    if authority.startswith("["):
        return authority[: authority.find("]") + 1]
    return authority.split(":", 1)[0]


def _split_port(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        host, mark, rest = authority.partition("]")
        if rest and not rest.startswith(":"):
            return "", None
        return host + mark, rest[1:] if rest else None
    host, mark, port = authority.partition(":")
    return host, port if mark else None
