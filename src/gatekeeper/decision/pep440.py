"""PEP 440: whether a version of a PyPI package meets a range of specifiers.

The version comes from metadata that its owner may have edited, the range from a signed token. What
can't be read is in no range, a range that can't be read is `Malformed`; prereleases and development
releases are in no range at all.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    # What versions are ordered by: epoch, release, prerelease, post-release, development release, local.
    Key = tuple[
        int, tuple[int, ...], tuple[int, str, int], int, tuple[int, int], tuple[tuple[int, int, str], ...]
    ]

_MAX_RANGE_CHARS = 1024
_MAX_VERSION_CHARS = 256
_MAX_DIGITS = 15
_DIGITS = "0123456789"
_PRE = {"a": "a", "alpha": "a", "b": "b", "beta": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}
_PRE_WORDS = ("alpha", "a", "beta", "b", "preview", "pre", "c", "rc")
_POST_WORDS = ("post", "rev", "r")
_OPERATORS = ("===", "~=", "==", "!=", "<=", ">=", "<", ">")


class _Version:
    """A version of PEP 440, taken apart. `pre`, `post` and `dev` are None where absent."""

    __slots__ = ("dev", "epoch", "local", "post", "pre", "release")

    def __init__(self, text: str) -> None:
        text, plus, local = text.strip().lower().removeprefix("v").partition("+")
        head, mark, rest = text.partition("!")
        if not mark:
            head, rest = "0", text
        release, rest = _numbers(rest)
        self.epoch = _small(head)
        self.release = release
        self.pre, rest = _segment(rest, _PRE_WORDS)
        if rest[:1] == "-" and rest[1:2] in tuple(_DIGITS):
            digits, rest = _leading_digits(rest[1:])
            self.post: tuple[str, int] | None = ("post", _small(digits))
        else:
            self.post, rest = _segment(rest, _POST_WORDS)
        self.dev, rest = _segment(rest, ("dev",))
        self.local = _local(local) if plus else ()
        if rest:
            raise Malformed("no version of PEP 440")

    def key(self, *, with_local: bool) -> Key:
        """Return what orders this version among others."""
        release = self.release
        while len(release) > 1 and release[-1] == 0:
            release = release[:-1]
        if self.pre is not None:
            pre = (0, _PRE[self.pre[0]], self.pre[1])
        else:
            # 1.0.dev1 comes before 1.0a1, and 1.0 after it.
            pre = (-1 if self.post is None and self.dev is not None else 1, "", 0)
        return (
            self.epoch,
            release,
            pre,
            -1 if self.post is None else self.post[1],
            (1, 0) if self.dev is None else (0, self.dev[1]),
            self.local if with_local else (),
        )

    def starts_with(self, epoch: int, prefix: tuple[int, ...]) -> bool:
        """Say whether the release begins with these numbers; missing ones count as zero."""
        padded = self.release + (0,) * (len(prefix) - len(self.release))
        return self.epoch == epoch and padded[: len(prefix)] == prefix


def in_range(version: str, range_: str) -> bool:
    """Say whether a version meets every specifier of a PEP 440 range; prereleases never do.

    Raises:
        Malformed: the range can't be read.
    """
    if len(range_) > _MAX_RANGE_CHARS:
        raise Malformed("a range is too long")
    specifiers = [_specifier(part.strip()) for part in range_.split(",")] if range_.strip() else []
    try:
        candidate = _Version(version[: _MAX_VERSION_CHARS + 1])
    except Malformed:
        return False
    if candidate.pre is not None or candidate.dev is not None or len(version) > _MAX_VERSION_CHARS:
        return False
    return all(
        version.strip().lower() == text.lower() if bound is None else _meets(candidate, operator, bound, wild)
        for operator, text, bound, wild in specifiers
    )


def _specifier(text: str) -> tuple[str, str, _Version | None, bool]:
    operator = next((o for o in _OPERATORS if text.startswith(o)), "")
    rest = text[len(operator) :].strip()
    if not operator or not rest:
        raise Malformed("a specifier is no operator and version")
    if operator == "===":
        return operator, rest, None, False
    wild = rest.endswith(".*")
    bound = _Version(rest.removesuffix(".*"))
    bare = bound.pre is bound.post is bound.dev is None and not bound.local
    if wild and (operator not in ("==", "!=") or not bare):
        raise Malformed("'.*' follows a release after == or !=")
    if bound.local and operator not in ("==", "!="):
        raise Malformed("a local version is only equal or not")
    if operator == "~=" and len(bound.release) < 2:
        raise Malformed("~= needs two numbers")
    return operator, rest, bound, wild


def _meets(candidate: _Version, operator: str, bound: _Version, wild: bool) -> bool:  # noqa: FBT001
    ours = candidate.key(with_local=False)
    theirs = bound.key(with_local=False)
    match operator:
        case "==" | "!=":
            if wild:
                equal = candidate.starts_with(bound.epoch, bound.release)
            else:
                local = bool(bound.local)
                equal = candidate.key(with_local=local) == bound.key(with_local=local)
            return equal is (operator == "==")
        case "~=":
            return ours >= theirs and candidate.starts_with(bound.epoch, bound.release[:-1])
        case "<=":
            return ours <= theirs
        case ">=":
            return ours >= theirs
        case "<":
            return candidate.key(with_local=True) < theirs
        case _:
            # ">" without a post-release means after all of the bound's own post-releases.
            if bound.post is None and bound.dev is None:
                ours = (*ours[:3], -1, *ours[4:])
            return ours > theirs


def _numbers(text: str) -> tuple[tuple[int, ...], str]:
    numbers: list[int] = []
    while True:
        digits, text = _leading_digits(text)
        numbers.append(_small(digits))
        if text[:1] != "." or text[1:2] not in tuple(_DIGITS):
            return tuple(numbers), text
        text = text[1:]


def _segment(text: str, words: tuple[str, ...]) -> tuple[tuple[str, int] | None, str]:
    """Read `[separator] word [separator] [digits]` where it stands; no digits count as 0."""
    rest = text[1:] if text[:1] in (".", "-", "_") else text
    word = next((w for w in words if rest.startswith(w)), "")
    if not word:
        return None, text
    rest = rest[len(word) :]
    if rest[:1] in (".", "-", "_"):
        rest = rest[1:]
    digits, rest = _leading_digits(rest)
    return (word, _small(digits or "0")), rest


def _local(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = text.replace("-", ".").replace("_", ".").split(".")
    if not all(part.isascii() and part.isalnum() for part in parts):
        raise Malformed("no version of PEP 440")
    return tuple((1, _small(part), "") if _is_digits(part) else (0, 0, part) for part in parts)


def _leading_digits(text: str) -> tuple[str, str]:
    rest = text.lstrip(_DIGITS)
    return text[: len(text) - len(rest)], rest


def _is_digits(text: str) -> bool:
    return bool(text) and not text.strip(_DIGITS)


def _small(digits: str) -> int:
    if not _is_digits(digits) or len(digits) > _MAX_DIGITS:
        raise Malformed("no version of PEP 440")
    return int(digits)
