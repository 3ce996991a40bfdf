"""P-256 for a launch: whether ECDSA signatures with SHA-256 (ES256) hold, by tables. No signing, no secrets.

For the launch path, where importing `cryptography` would cost more than everything else together.
Every number here is public (key, message, signature), so timing reveals nothing and the code is
written to be read, not to be constant in time. `docs/adr/0002-own-p256-verification.md` says why it
exists, what holds it to `cryptography`, and what turns it off. Never use it to sign.

A launch knows its keys beforehand: `verify_by_tables` adds up multiples that `tables` computed once, and
`docs/adr/0006-launch-without-key-tables.md` says whose tables count. A wrong table can make a bad signature
hold, so nothing here decides that. Without tables, `p256_plain` verifies by the same formulas.

Sums are Jacobian, (X, Y, Z) for the affine (X/Z², Y/Z³), and Z = 0 is the point at infinity.
"""

import sys

try:  # the C module behind hashlib; hashlib itself would load OpenSSL, and looking for the other's name costs, too
    if sys.version_info >= (3, 12):
        from _sha2 import sha256 as _sha256  # type: ignore[import-not-found, unused-ignore]
    else:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # an interpreter built without its own hashes: slower, still right
    from hashlib import sha256 as _sha256  # type: ignore[assignment, unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Point = tuple[int, int, int]
    Affine = tuple[int, int]
    # From places, multiples of POINT_BYTES below TABLE_BYTES, to the points there; [] where there is no such table.
    Table = Callable[[list[int]], list[bytes]]

# SP 800-186 §3.2.1.3: y² = x³ - 3x + B over the integers mod P; G has the prime order N, cofactor 1.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

INFINITY = (1, 1, 0)

# A table of a point Q: d · 2^(10i) · Q for each window i and each d from 1 to 512, as x ‖ y of 32 bytes each.
# 26 windows of 10 bits hold every scalar below 2^256 in digits from -512 to 511, with no carry out of the last.
TABLE_WIDTH = 10
TABLE_WINDOWS = 26
TABLE_DIGITS = 1 << (TABLE_WIDTH - 1)
POINT_BYTES = 64
TABLE_BYTES = TABLE_WINDOWS * TABLE_DIGITS * POINT_BYTES
# Adding 512 to every window makes each digit positive, so that plain shifting and masking find it.
_TABLE_OFFSET = sum([TABLE_DIGITS << at for at in range(0, TABLE_WIDTH * TABLE_WINDOWS, TABLE_WIDTH)])


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


def verify_by_tables(message: bytes, signature: bytes, *, of_g: "Table", of_key: "Table") -> bool:
    """Say what `p256_plain.verify_es256` says, by trusted tables of G and of a key on the curve.

    A table returns the points at the places that it is asked for, and none at all where there is no table: then
    nothing holds. Message and signature may be hostile, the tables not: with a wrong one the answer means nothing.
    """
    return holds(message, signature, lambda u1, u2: _sum_by(of_g, u1, of_key, u2))


def holds(message: bytes, signature: bytes, weighted_sum: "Callable[[int, int], Point]") -> bool:
    """Verify a hostile signature (FIPS 186-5 §6.4.2), given the function u1, u2 → u1·G + u2·Q. Nothing raises."""
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


def _sum_by(of_g: "Table", u1: int, of_key: "Table", u2: int) -> "Point":
    by_g, by_key = _picked(of_g, u1), _picked(of_key, u2)
    # Leaving out what a missing table would have given would make anybody's u1·G a signature.
    return INFINITY if by_g is None or by_key is None else _sum_of(by_g + by_key)


def _picked(table: "Table", scalar: int) -> "list[Affine] | None":
    """Return the points of a table that add up to the multiple of its point, one a window; None without a table."""
    places, signs = [], []
    shifted = scalar + _TABLE_OFFSET
    for window in range(0, TABLE_BYTES, TABLE_DIGITS * POINT_BYTES):
        digit = (shifted & (2 * TABLE_DIGITS - 1)) - TABLE_DIGITS
        shifted >>= TABLE_WIDTH
        if digit:
            places.append(window + (abs(digit) - 1) * POINT_BYTES)
            signs.append(digit > 0)
    found = table(places)
    if len(found) != len(places):
        return None
    points = []
    for point, positive in zip(found, signs, strict=True):
        y = int.from_bytes(point[32:], "big")
        points.append((int.from_bytes(point[:32], "big"), y if positive else P - y))
    return points


def _sum_of(points: "list[Affine]") -> "Point":
    """Add up points of tables: in pairs as long as sharing a division pays, then one by one."""
    while len(points) > 20:
        points = sums_of_pairs(points)
    total = INFINITY
    for point in points:
        total = add(total, point)
    return total


def sums_of_pairs(points: "list[Affine]") -> "list[Affine]":
    """Return the sums of neighbours, last first, after a point left over: affine additions that share one division.

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


def double(point: "Point") -> "Point":
    """Return twice the point (dbl-2001-b, for a = -3). Infinity stays infinity, since Z is a factor."""
    x, y, z = point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    doubled_x = (alpha * alpha - 8 * beta) % P
    return doubled_x, (alpha * (4 * beta - doubled_x) - 8 * gamma * gamma) % P, 2 * y * z % P


def add(one: "Point", two: "Affine") -> "Point":
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
        return double(one) if rise == 0 else INFINITY
    square = run * run % P
    cube = square * run % P
    shared = x1 * square % P
    x3 = (rise * rise - cube - 2 * shared) % P
    return x3, (rise * (shared - x3) - y1 * cube) % P, z1 * run % P
