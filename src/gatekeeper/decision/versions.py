"""Whether an installed version lies in an approved range: node-semver here, PEP 440 in `pep440`.

The version comes from metadata that its owner may have edited, the range from a signed token. A
version that can't be read is in no range; a range that can't be read is `Malformed`, so that it never
approves by accident. Prereleases are in no range at all, whatever the range says.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    Release = tuple[int, int, int]
    # From the first (included) to the second (excluded); None is without end.
    Interval = tuple[Release, Release | None]

_MAX_RANGE_CHARS = 1024
_MAX_VERSION_CHARS = 256
_MAX_DIGITS = 15
_DIGITS = "0123456789"
_IDENTIFIER = _DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
_ZERO = (0, 0, 0)
_ANY = (_ZERO, None)
_NOTHING = (_ZERO, _ZERO)
# Longest first: "~>" is one operator, and so is ">=".
_NPM_OPERATORS = ("~>", ">=", "<=", "~", "^", ">", "<", "=")


def in_npm_range(version: str, range_: str) -> bool:
    """Say whether a version is in a range of node-semver's grammar; a comma separates as a space does.

    Raises:
        Malformed: the range can't be read.
    """
    intervals = parse_npm_range(range_)
    release = _npm_release(version)
    if release is None:
        return False
    return any(low <= release and (high is None or release < high) for low, high in intervals)


def in_pypi_range(version: str, range_: str) -> bool:
    """Say whether a version meets every specifier of a PEP 440 range (`pep440`, loaded where a tool needs it).

    Raises:
        Malformed: the range can't be read.
    """
    from gatekeeper.decision import pep440

    return pep440.in_range(version, range_)


def parse_npm_range(range_: str) -> list[Interval]:
    """Return the alternatives of a range as intervals of releases.

    Prereleases match nothing, so every comparator is an interval between releases: `>1.2.3` begins at
    1.2.4, and `>=1.2.3-beta` at 1.2.3.

    Raises:
        Malformed: the range can't be read.
    """
    if len(range_) > _MAX_RANGE_CHARS:
        raise Malformed("a range is too long")
    return [_npm_alternative(part) for part in range_.split("||")]


def _npm_alternative(text: str) -> Interval:
    if "," in text and not all(part.strip() for part in text.split(",")):
        raise Malformed("a range has an empty part")
    tokens = _comparators(text)
    if "-" in tokens:
        if len(tokens) != 3 or tokens[1] != "-":
            raise Malformed("a hyphen range is not 'from - to'")
        low, _ = _npm_interval(">=", tokens[0])
        _, high = _npm_interval("<=", tokens[2])
        return low, high
    low, high = _ANY
    for token in tokens:
        operator = next((o for o in _NPM_OPERATORS if token.startswith(o)), "")
        least, most = _npm_interval(operator, token[len(operator) :])
        low = max(low, least)
        if high is None or (most is not None and most < high):
            high = most
    return low, high


def _comparators(text: str) -> list[str]:
    """Split at blanks and commas; an operator that stands alone belongs to the version after it."""
    tokens: list[str] = []
    operator = ""
    for word in text.replace(",", " ").split():
        if not operator and word in _NPM_OPERATORS:
            operator = word
        else:
            tokens.append(operator + word)
            operator = ""
    if operator:
        raise Malformed("an operator without a version")
    return tokens


def _npm_interval(operator: str, text: str) -> Interval:
    numbers, prerelease = _npm_partial(text)
    floor = _floor(numbers)
    ceiling = floor if prerelease else _ceiling(numbers)
    match operator:
        case ">=":
            return floor, None
        case "<=":
            return _ZERO, ceiling
        case "<":
            return _ZERO, floor
        case ">":
            return _NOTHING if ceiling is None else (ceiling, None)
        case "~" | "~>":
            return floor, _ceiling(numbers[:2])
        case "^":
            return floor, _ceiling(numbers[: _caret_width(numbers)])
        case _:
            return floor, ceiling


def _npm_partial(text: str) -> tuple[tuple[int, ...], bool]:
    """Read `1`, `1.2`, `1.2.x`, `*`, `v1.2.3-beta+build` as the numbers that it fixes."""
    plain, _, build = text.lstrip("v=").partition("+")
    plain, dash, prerelease = plain.partition("-")
    parts = plain.split(".")
    if len(parts) > 3 or (len(parts) < 3 and (dash or build)):
        raise Malformed("a range holds no version")
    numbers: list[int] = []
    wild = False
    for part in parts:
        if part in ("x", "X", "*"):
            wild = True
        elif wild or not _is_number(part):
            raise Malformed("a range holds no version")
        else:
            numbers.append(int(part))
    if dash and not _is_prerelease(prerelease):
        raise Malformed("a range holds no version")
    return tuple(numbers), bool(dash) and not wild


def _caret_width(numbers: tuple[int, ...]) -> int:
    """Return how many numbers `^` keeps: up to the first that is not zero, else all that are given."""
    for at, number in enumerate(numbers):
        if number:
            return at + 1
    return len(numbers)


def _floor(numbers: tuple[int, ...]) -> Release:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _ceiling(numbers: tuple[int, ...]) -> Release | None:
    """Return the first release after all that begin with these numbers."""
    return _floor((*numbers[:-1], numbers[-1] + 1)) if numbers else None


def _npm_release(version: str) -> Release | None:
    """Read a whole version; None for what is none, and for a prerelease."""
    if len(version) > _MAX_VERSION_CHARS:
        return None
    plain, plus, build = version.strip().removeprefix("v").partition("+")
    parts = plain.split(".")
    if len(parts) != 3 or not all(_is_number(part) for part in parts):
        return None
    if plus and not all(part and not part.strip(_IDENTIFIER) for part in build.split(".")):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _is_number(text: str) -> bool:
    return _is_digits(text) and len(text) <= _MAX_DIGITS and (text == "0" or text[0] != "0")


def _is_digits(text: str) -> bool:
    return bool(text) and not text.strip(_DIGITS)


def _is_prerelease(text: str) -> bool:
    return all(
        part and not part.strip(_IDENTIFIER) and (not _is_digits(part) or _is_number(part))
        for part in text.split(".")
    )
