"""Which versions of a tool remain when some are stopped: its identities, narrowed. Pure.

A launch token says which versions it is for, so stopping versions is a narrower token, and the workstation refuses
the stopped ones as it refuses every version that isn't approved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.decision.versions import in_pypi_range, parse_npm_range
from gatekeeper.errors import GatekeeperError, Malformed

if TYPE_CHECKING:
    from gatekeeper.decision.versions import Interval, Release
    from gatekeeper.documents.launch_token import Identity

_OPPOSITE = {"==": "!=", "!=": "==", ">=": "<", "<=": ">", "<": ">=", ">": "<="}
# The longest operator first; "=" and nothing are "==".
_OPERATORS = ("==", "!=", ">=", "<=", "<", ">", "=")
_HINT = "Write a range as >=2.3,<2.3.5 or one version as 2.3.4."


def check_versions(versions: str) -> None:
    """Refuse a range that can't be subtracted from another.

    Raises:
        GatekeeperError: GK100.
    """
    try:
        intervals = parse_npm_range(_npm(versions))
        for operator, version in _comparators(versions):
            in_pypi_range("1.0", f"{operator}{version}")
    except Malformed as error:
        raise GatekeeperError(
            "GK100", f"{versions!r} is no range of versions: {error.reason}. {_HINT}"
        ) from error
    if all(high is not None and low >= high for low, high in intervals):
        raise GatekeeperError("GK100", f"No version lies in {versions!r}. {_HINT}")


def without(identities: tuple[Identity, ...], versions: str) -> tuple[Identity, ...]:
    """Return the identities without the versions of a range that `check_versions` passed; none at all may remain."""
    remaining: list[Identity] = []
    for identity in identities:
        if identity.pypi:
            remaining += [
                identity.replace(versions=f"{identity.versions},{one}".lstrip(","))
                for one in (f"{_OPPOSITE[operator]}{version}" for operator, version in _comparators(versions))
            ]
        else:
            left = _difference(parse_npm_range(identity.versions), parse_npm_range(_npm(versions)))
            if left:
                remaining.append(identity.replace(versions=" || ".join(map(_render, left))))
    return tuple(remaining)


def _comparators(versions: str) -> list[tuple[str, str]]:
    found = []
    for part in versions.split(","):
        text = part.strip()
        operator = next((one for one in _OPERATORS if text.startswith(one)), "")
        version = text[len(operator) :].strip()
        if not version or not all(sign.isalnum() or sign == "." for sign in version):
            raise Malformed("a comparator has no plain version")
        found.append(({"": "==", "=": "=="}.get(operator, operator), version))
    return found


def _npm(versions: str) -> str:
    """Write the comparators as node-semver does."""
    parts = _comparators(versions)
    if any(operator == "!=" for operator, _ in parts):
        raise Malformed("!= has no place in a range of stopped versions")
    return " ".join(f"{'=' if operator == '==' else operator}{version}" for operator, version in parts)


def _difference(intervals: list[Interval], stopped: list[Interval]) -> list[Interval]:
    left = intervals
    for low, high in stopped:
        pieces: list[Interval] = []
        for start, end in left:
            pieces.append((start, low if end is None or low < end else end))
            if high is not None:
                pieces.append((max(start, high), end))
        left = [(start, end) for start, end in pieces if end is None or start < end]
    return left


def _render(interval: Interval) -> str:
    low, high = interval
    return f">={_dotted(low)}" + ("" if high is None else f" <{_dotted(high)}")


def _dotted(release: Release) -> str:
    return ".".join(map(str, release))
