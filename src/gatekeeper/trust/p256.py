"""Verify ECDSA signatures on P-256 with SHA-256 (ES256), and nothing else: no signing, no secrets.

For the launch path, where importing `cryptography` would cost more than everything else together.
Every number here is public (key, message, signature), so timing reveals nothing and the code is
written to be read, not to be constant in time. `docs/adr/0002-own-p256-verification.md` says why it
exists, what holds it to `cryptography`, and what turns it off. Never use it to sign.

A launch may know its keys beforehand: `verify_by_tables` adds up multiples that `tables` computed once, and
`docs/adr/0006-launch-without-key-tables.md` says whose tables count. A wrong table can make a bad signature
hold, so nothing here decides that.

Sums are Jacobian, (X, Y, Z) for the affine (X/Z², Y/Z³), and Z = 0 is the point at infinity.
"""

from __future__ import annotations

try:  # the C module behind hashlib: Python 3.12 and later, then 3.11; hashlib itself would load OpenSSL
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found, no-redef, unused-ignore]
    except ImportError:  # an interpreter built without its own hashes: slower, still right
        from hashlib import sha256 as _sha256  # type: ignore[assignment, unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.trust.jws import PublicKey

    Point = tuple[int, int, int]
    Affine = tuple[int, int]

# SP 800-186 §3.2.1.3: y² = x³ - 3x + B over the integers mod P; G has the prime order N, cofactor 1.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

_INFINITY = (1, 1, 0)
_WIDTH = 5  # of the windows: eight odd multiples of each point, one addition in about six doublings

# A table of a point Q: d · 2^(6i) · Q for each window i and each d from 1 to 32, as x ‖ y of 32 bytes each.
# 43 windows of 6 bits hold every scalar below 2^256 in digits from -32 to 31, with no carry out of the last.
TABLE_WIDTH = 6
TABLE_WINDOWS = 43
TABLE_DIGITS = 1 << (TABLE_WIDTH - 1)
TABLE_BYTES = TABLE_WINDOWS * TABLE_DIGITS * 64
# Adding 32 to every window makes each digit positive, so that plain shifting and masking find it.
_TABLE_OFFSET = sum(TABLE_DIGITS << (TABLE_WIDTH * at) for at in range(TABLE_WINDOWS))
# Filled by the first verification that needs it; with tables there is none.
_OF_G: list[Affine] = []


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest."""
    digest: bytes = _sha256(data).digest()
    return digest


def on_curve(x: bytes, y: bytes) -> bool:
    """Say whether hostile coordinates are a point of P-256, each as exactly 32 bytes below P.

    The cofactor is 1, so every such point has order N (SEC 1 §3.2.2.1); infinity has no such coordinates.
    """
    if len(x) != 32 or len(y) != 32:
        return False
    a, b = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    return a < P and b < P and (b * b - a * (a * a - 3) - B) % P == 0


def verify_es256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` (r ‖ s, 64 bytes, RFC 7518 §3.4) is the key's over `message` (FIPS 186-5 §6.4.2).

    Everything may be hostile; nothing raises. Both s and N - s hold, as in every ECDSA verifier: a
    signature is no identifier.
    """
    if not on_curve(key.x, key.y):
        return False
    qx, qy = int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big")
    return _holds(message, signature, lambda u1, u2: _weighted_sum(u1, u2, qx, qy))


def verify_by_tables(message: bytes, signature: bytes, *, of_g: bytes, of_key: bytes) -> bool:
    """Say what `verify_es256` says, by trusted tables of G and of a key on the curve, `TABLE_BYTES` each.

    Message and signature may be hostile, the tables not: with a wrong one the answer means nothing, either way.
    """
    return _holds(message, signature, lambda u1, u2: _sum_of([*_picked(of_g, u1), *_picked(of_key, u2)]))


def _holds(message: bytes, signature: bytes, weighted_sum: Callable[[int, int], Point]) -> bool:
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    inverse = pow(s, -1, N)
    u1 = int.from_bytes(sha256(message), "big") * inverse % N
    u2 = r * inverse % N
    x, _, z = weighted_sum(u1, u2)
    if z == 0:
        return False
    # The affine x is x/z², compared without a division; mod N it is r where it is r or r + N.
    zz = z * z % P
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)


def _weighted_sum(u1: int, u2: int, qx: int, qy: int) -> Point:
    """Return u1·G + u2·Q: one run of doublings for both scalars (Shamir's trick)."""
    if not _OF_G:
        _OF_G.extend(_odd_multiples(GX, GY))
    of_q = _odd_multiples(qx, qy)
    first, second = _signed_digits(u1), _signed_digits(u2)
    total = _INFINITY
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


def _picked(table: bytes, scalar: int) -> list[Affine]:
    """Return the points of a table that add up to the multiple of its point: one a window, none for a zero."""
    shifted = scalar + _TABLE_OFFSET
    points = []
    for window in range(0, TABLE_BYTES, TABLE_DIGITS * 64):
        digit = (shifted & (2 * TABLE_DIGITS - 1)) - TABLE_DIGITS
        shifted >>= TABLE_WIDTH
        if digit:
            at = window + (abs(digit) - 1) * 64
            y = int.from_bytes(table[at + 32 : at + 64], "big")
            points.append((int.from_bytes(table[at : at + 32], "big"), y if digit > 0 else P - y))
    return points


def _sum_of(points: list[Affine]) -> Point:
    """Add up points of tables: in pairs as long as sharing a division pays, then one by one."""
    while len(points) > 16:
        points = _paired(points)
    total = _INFINITY
    for point in points:
        total = add(total, point)
    return total


def _paired(points: list[Affine]) -> list[Affine]:
    """Return half as many points with the same sum, by affine additions that share one division.

    An attacker chooses the scalars, so pairs of equal points (doubled) and of opposite ones (left out) do occur.
    """
    sums = points[len(points) & ~1 :]
    steps = []
    product = 1
    for (x1, y1), (x2, y2) in zip(points[::2], points[1::2], strict=False):
        run, rise = x2 - x1, y2 - y1
        if run == 0:
            if rise:
                continue
            run, rise = 2 * y1, 3 * (x1 * x1 - 1)
        steps.append((x1, y1, x2, rise, run, product))
        product = product * run % P
    try:
        inverse = pow(product, -1, P)
    except ValueError:  # no points of the curve: a damaged table, by which nothing holds
        return []
    for x1, y1, x2, rise, run, before in reversed(steps):
        slope = rise * (inverse * before % P) % P
        inverse = inverse * run % P
        x = (slope * slope - x1 - x2) % P
        sums.append((x, (slope * (x1 - x) - y1) % P))
    return sums


def double(point: Point) -> Point:
    """Return twice the point (dbl-2001-b, for a = -3). Infinity stays infinity, since Z is a factor."""
    x, y, z = point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    doubled_x = (alpha * alpha - 8 * beta) % P
    return doubled_x, (alpha * (4 * beta - doubled_x) - 8 * gamma * gamma) % P, 2 * y * z % P


def add(one: Point, two: Affine) -> Point:
    """Return the sum (madd-2004-hmv), with the three cases in which that formula fails told apart.

    An attacker chooses the scalars, so equal, opposite and infinite points do occur (Wycheproof).
    """
    x1, y1, z1 = one
    x2, y2 = two
    if z1 == 0:
        return x2, y2, 1
    square = z1 * z1 % P
    run = (x2 * square - x1) % P
    rise = (y2 * (square * z1 % P) - y1) % P
    if run == 0:
        return double(one) if rise == 0 else _INFINITY
    square = run * run % P
    cube = square * run % P
    shared = x1 * square % P
    x3 = (rise * rise - cube - 2 * shared) % P
    return x3, (rise * (shared - x3) - y1 * cube) % P, z1 * run % P
