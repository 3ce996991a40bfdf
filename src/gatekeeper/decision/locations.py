"""Where a tool may be launched: canonical remotes, patterns over them, and the first reason to refuse.

A remote is `host/path`: host in lower case, no user, port or `.git`. Spellings that a server takes for
the same repository become one, since a second spelling would hide an excluded repository; a spelling
that can't be judged has no canonical form, and its repository counts as excluded. `launch.repository`
finds the remotes; this module has no effects.
"""

from __future__ import annotations

from gatekeeper.decision.facts import EVERYWHERE as EVERYWHERE  # noqa: PLC0414 - a pattern like the others
from gatekeeper.decision.obstacles import NoRepository, UnreadableRepository
from gatekeeper.documents.launch_token import Exclusion
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.decision.obstacles import Location

# Rules of our own in an `Exclusion` whose pattern is "".
OUTSIDE = "outside"
UNREADABLE = "unreadable"

_MAX_URL_CHARS = 4096
_SSH_SCHEMES = ("ssh", "git+ssh", "ssh+git")
_SCHEMES = ("https", "http", "git", "ftp", "ftps", *_SSH_SCHEMES)
_HOST = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
_HEX = "0123456789abcdefABCDEF"
# Hosts that serve the repositories of another: its web name, and SSH on port 443.
_SAME_HOST = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "www.gitlab.com": "gitlab.com",
    "altssh.gitlab.com": "gitlab.com",
    "www.bitbucket.org": "bitbucket.org",
    "altssh.bitbucket.org": "bitbucket.org",
}


class Remote(Value):
    """A remote, taken apart. `ssh` says that SSH's own configuration may give the host another name."""

    host: str
    path: str
    ssh: bool

    def canonical(self) -> str:
        """Return `host/path`."""
        return f"{_SAME_HOST.get(self.host, self.host)}/{self.path}"


def canonical_remote(url: str) -> str | None:
    """Return `host/path` for a hostile URL, or None where it has no canonical form.

    None are local paths, `file:`, `helper::`, unknown schemes, dot segments, queries, an encoded slash, control
    characters, a host that isn't a plain ASCII name, and the empty text.
    """
    remote = split_remote(url)
    return None if remote is None else remote.canonical()


def split_remote(url: str) -> Remote | None:
    """Take a hostile URL apart, as `canonical_remote` describes."""
    if not url or len(url) > _MAX_URL_CHARS or not url.isprintable() or "\\" in url:
        return None
    scheme, mark, rest = url.partition("://")
    if mark:
        authority, _, path = rest.partition("/")
        decoded = _percent_decoded(path)
        if scheme.lower() not in _SCHEMES or decoded is None or "?" in url or "#" in url:
            return None
        return _remote(_without_port(authority), decoded, ssh=scheme.lower() in _SSH_SCHEMES)
    # git's own rule: a colon before the first slash makes it the short form of SSH, anything else is a local path.
    authority, colon, path = url.partition(":")
    if not colon or "/" in authority or path.startswith(":"):
        return None
    return _remote(authority, path, ssh=True)


def _remote(authority: str | None, path: str, *, ssh: bool) -> Remote | None:
    if authority is None or "[" in authority:
        return None
    host = authority.rpartition("@")[2].lower().removesuffix(".")
    segments = [segment for segment in path.split("/") if segment]
    if not host or host[0] in "-." or host.strip(_HOST) or ".." in host:
        return None
    if not segments or "." in segments or ".." in segments:
        return None
    if segments[-1].lower().endswith(".git"):
        segments[-1] = segments[-1][:-4]
        if not segments[-1]:
            return None
    return Remote(host=host, path="/".join(segments), ssh=ssh)


def _without_port(authority: str) -> str | None:
    """Drop `:443`; None where what follows the colon is no port (an IPv6 address among them)."""
    user, at, host = authority.rpartition("@")
    host, colon, port = host.partition(":")
    if colon and port.strip("0123456789"):
        return None
    return user + at + host


def _percent_decoded(path: str) -> str | None:
    """Decode `%41`, as git and the servers do; None where the text hides a slash or is no text."""
    first, *parts = path.split("%")
    raw = first.encode("utf-8")
    for part in parts:
        digits = part[:2]
        if len(digits) != 2 or digits.strip(_HEX):
            return None
        raw += bytes((int(digits, 16),)) + part[2:].encode("utf-8")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if (
        decoded.count("/") != path.count("/")
        or not decoded.isprintable()
        or "\\" in decoded
        or "%" in decoded
    ):
        return None
    return decoded


def matches(pattern: str, remote: str) -> bool:
    """Say whether a pattern covers a canonical remote. `*` stays inside a segment, `**` crosses.

    `a/**/b` covers `a/b` as well. Linear in both lengths, since patterns come from policy.
    """
    reached = {0}
    for token in _tokens(pattern):
        reached = _advance(token, reached, remote)
        if not reached:
            return False
    return len(remote) in reached


def _tokens(pattern: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        token = next((t for t in ("/**/", "**", "*") if pattern.startswith(t, at)), pattern[at])
        tokens.append(token)
        at += len(token)
    return tokens


def _advance(token: str, reached: set[int], remote: str) -> set[int]:
    """Return the positions after `token`, given those before it."""
    if token == "**":  # noqa: S105
        return set(range(min(reached), len(remote) + 1))
    if token == "/**/":  # noqa: S105
        slashes = [at for at in reached if remote[at : at + 1] == "/"]
        return {at + 1 for at in range(min(slashes), len(remote)) if remote[at] == "/"} if slashes else set()
    if token != "*":  # noqa: S105
        return {at + 1 for at in reached if remote[at : at + 1] == token}
    after: set[int] = set()
    for start in reached:
        at = start
        while at not in after:
            after.add(at)
            if at == len(remote) or remote[at] == "/":
                break
            at += 1
    return after


def exclusion_for(
    location: Location, *, locations: Sequence[str], exclude: Sequence[Exclusion]
) -> Exclusion | None:
    """Return the first reason to refuse a launch here, None where there is none.

    Any match of `exclude` refuses, every remote must match `locations`. No repository, and one without remotes, is
    no zone: only `*` (everywhere) allows it. An unreadable repository is refused unless nothing at all is excluded.
    `exclude` is compared without regard to case, because servers take either; `locations` exactly.
    """
    everywhere = EVERYWHERE in locations
    remotes: tuple[str, ...] = ()
    match location:
        case UnreadableRepository():
            allowed = everywhere and not exclude
            return None if allowed else Exclusion(pattern="", rule=UNREADABLE)
        case NoRepository():
            pass
        case _:
            remotes = location.remotes
    for exclusion in exclude:
        if exclusion.pattern == EVERYWHERE or any(_covers(exclusion.pattern, r) for r in remotes):
            return exclusion
    if everywhere:
        return None
    inside = remotes and all(any(matches(p, r) for p in locations) for r in remotes)
    return None if inside else Exclusion(pattern="", rule=OUTSIDE)


def _covers(pattern: str, remote: str) -> bool:
    return matches(pattern.casefold(), remote.casefold())
