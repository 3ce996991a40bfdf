"""Whether two patterns over remotes can match the same remote. Pure."""

from __future__ import annotations

_STAR = "*"  # inside a segment
_STARS = "**"  # across segments


def overlap(one: str, other: str) -> bool:
    """Say whether some remote matches both patterns (`*` stays inside a segment, `**` crosses)."""
    left, right = _signs(one), _signs(other)

    # Every pair of places that reading one and the same remote may lead to. Without recursion: patterns are long.
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        i, j = waiting.pop()
        if i == len(left) and j == len(right):
            return True
        for pair in _after(left, i, right, j) | {(x, y) for y, x in _after(right, j, left, i)}:
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return False


def _after(one: tuple[str, ...], i: int, other: tuple[str, ...], j: int) -> set[tuple[int, int]]:
    """Return the places after `one` took a sign, or its star took nothing or a sign of the other."""
    if i == len(one):
        return set()
    if one[i] not in {_STAR, _STARS}:
        return {(i + 1, j + 1)} if j < len(other) and one[i] == other[j] else set()
    pairs = {(i + 1, j)}
    if j < len(other) and (one[i] == _STARS or other[j] not in {"/", _STARS}):
        pairs.add((i, j + 1))
    return pairs


def _signs(pattern: str) -> tuple[str, ...]:
    signs: list[str] = []
    at = 0
    while at < len(pattern):
        long = pattern.startswith(_STARS, at)
        signs.append(_STARS if long else pattern[at])
        at += 2 if long else 1
    return tuple(signs)
