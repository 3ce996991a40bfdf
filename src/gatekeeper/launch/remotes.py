"""The remotes that git would use, from its settings, as canonical names.

`url.*.insteadOf` and `pushInsteadOf` apply as in git, fetch and push addresses both count, and so does a name
that SSH's configuration gives a host. A remote that has no canonical name is `Malformed`: its repository
counts as unreadable.
"""

from __future__ import annotations

from gatekeeper.decision.locations import Remote, split_remote
from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gatekeeper.launch.git_config import Entry

    # Base of the new address -> the beginnings that it replaces, in the order of git's settings.
    Rewrites = dict[str, list[str]]


def urls_of(entries: Iterable[Entry]) -> list[str]:
    """Return every address that git would fetch from or push to.

    Raises:
        Malformed: a setting without the value that git demands, or a remote behind a helper program.
    """
    fetch: dict[str, list[str]] = {}
    push: dict[str, list[str]] = {}
    rewrites: Rewrites = {}
    push_rewrites: Rewrites = {}
    for section, subsection, key, value in entries:
        if section == "url" and key in ("insteadof", "pushinsteadof"):
            table = rewrites if key == "insteadof" else push_rewrites
            table.setdefault(subsection, []).append(_given(value))
        elif section == "remote" and subsection:
            addresses = fetch.setdefault(subsection, [])
            if key == "url":
                addresses.append(_given(value))
            elif key == "pushurl":
                push.setdefault(subsection, []).append(_given(value))
            elif key == "vcs":
                raise Malformed("a remote is reached by a helper program")
    urls: list[str] = []
    for name, given in fetch.items():
        pushed = push.get(name, [])
        # git takes a remote without an address by its name.
        by_name = not given and not pushed and (":" in name or "/" in name)
        addresses = [name] if by_name else given
        urls += [_rewritten(url, rewrites) for url in (*addresses, *pushed)]
        if not pushed:
            # Without a push address of its own, pushInsteadOf applies to the address as it was written.
            urls += [_rewritten(url, push_rewrites) for url in addresses if _longest(url, push_rewrites)]
    return [url for url in urls if url]


def canonical_names(urls: Iterable[str], *, real_host: Callable[[str], str]) -> set[str]:
    """Return the canonical names. `real_host` says what SSH takes a host for.

    Raises:
        Malformed: an address has no canonical name.
    """
    names = set()
    for url in urls:
        remote = split_remote(url)
        if remote is not None and remote.ssh:
            host = real_host(remote.host)
            known = split_remote(f"ssh://{host}/x") is not None
            remote = Remote(host=host, path=remote.path, ssh=True) if known else None
        if remote is None:
            raise Malformed("a remote has no canonical name")
        names.add(remote.canonical())
    return names


def _given(value: str | None) -> str:
    if value is None:
        raise Malformed("a remote's setting has no value")
    return value


def _rewritten(url: str, rewrites: Rewrites) -> str:
    found = _longest(url, rewrites)
    return url if found is None else found[0] + url[len(found[1]) :]


def _longest(url: str, rewrites: Rewrites) -> tuple[str, str] | None:
    """Return the base and the longest beginning that fits, the first of equals."""
    best: tuple[str, str] | None = None
    for base, beginnings in rewrites.items():
        for beginning in beginnings:
            if url.startswith(beginning) and (best is None or len(beginning) > len(best[1])):
                best = base, beginning
    return best
