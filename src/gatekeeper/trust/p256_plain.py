"""Verify ECDSA signatures on P-256 with SHA-256 (ES256) without anything computed beforehand.

What a launch does under managed pins, where no table counts, and where tables are missing or damaged. The bounds of
`p256` hold here too: public numbers alone, written to be read, never to sign.
"""

from __future__ import annotations

from gatekeeper.trust.p256 import GX, GY, INFINITY, P, add, double, holds, on_curve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.chain import PublicKey
    from gatekeeper.trust.p256 import Affine, Point

_WIDTH = 5  # of the windows: eight odd multiples of each point, one addition in about six doublings
# Filled by the first verification.
_OF_G: list[Affine] = []


def verify_es256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` (r ‖ s, 64 bytes, RFC 7518 §3.4) is the key's over `message` (FIPS 186-5 §6.4.2).

    Everything may be hostile; nothing raises. Both s and N - s hold, as in every ECDSA verifier: a
    signature is no identifier.
    """
    if not on_curve(key.x, key.y):
        return False
    qx, qy = int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big")
    return holds(message, signature, lambda u1, u2: _weighted_sum(u1, u2, qx, qy))


def _weighted_sum(u1: int, u2: int, qx: int, qy: int) -> Point:
    """Return u1·G + u2·Q: one run of doublings for both scalars (Shamir's trick)."""
    if not _OF_G:
        _OF_G.extend(_odd_multiples(GX, GY))
    of_q = _odd_multiples(qx, qy)
    first, second = _signed_digits(u1), _signed_digits(u2)
    total = INFINITY
    for at in range(max(len(first), len(second)) - 1, -1, -1):
        total = double(total)
        if at < len(first) and first[at]:
            total = add(total, _pick(_OF_G, first[at]))
        if at < len(second) and second[at]:
            total = add(total, _pick(of_q, second[at]))
    return total


def _signed_digits(scalar: int) -> list[int]:
    """Return the width-w non-adjacent form, lowest first: digits are 0 or odd, below 2^(w-1) in size."""
    digits = []
    full = 1 << _WIDTH
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (full - 1)
            if digit >= full >> 1:
                digit -= full
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _odd_multiples(x: int, y: int) -> list[Affine]:
    """Return 1, 3, 5 … times a point of the curve, as many as a window needs.

    None of them, and nothing on the way, is infinity: the order N is a prime far above 2^w.
    """
    ((twice_x, twice_y),) = affine([double((x, y, 1))])
    multiples = [(x, y, 1)]
    for _ in range((1 << (_WIDTH - 2)) - 1):
        multiples.append(add(multiples[-1], (twice_x, twice_y)))
    return affine(multiples)


def affine(points: list[Point]) -> list[Affine]:
    """Divide Z out of finite points, with one inversion for all (Montgomery's trick)."""
    products = [1]
    for _, _, z in points:
        products.append(products[-1] * z % P)
    inverse = pow(products.pop(), -1, P)
    result = []
    for x, y, z in reversed(points):
        one = inverse * products.pop() % P
        inverse = inverse * z % P
        square = one * one % P
        result.append((x * square % P, y * (square * one % P) % P))
    return result[::-1]


def _pick(multiples: list[Affine], digit: int) -> Affine:
    x, y = multiples[abs(digit) >> 1]
    return (x, y) if digit > 0 else (x, P - y)
