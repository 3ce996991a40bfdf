"""Our P-256 says what `cryptography` says, for every input that we can think of."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.trust import library, p256, p256_plain
from gatekeeper.trust.chain import PublicKey
from gatekeeper.trust.p256 import GX, GY, N, P

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = tuple[PublicKey, bytes, bytes]

SHARDS = 8
# The profile's name is Hypothesis's; the count is our own, since each case signs and verifies four times.
_EXAMPLES = settings.default.max_examples if settings.default else 0
CASES = 1_000 if _EXAMPLES <= 50 else 20_000 if _EXAMPLES <= 200 else 100_000


def _point(scalar: int) -> tuple[int, int] | None:
    scalar %= N
    if scalar == 0:
        return None
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    return numbers.x, numbers.y


def _public(scalar: int) -> PublicKey:
    point = _point(scalar)
    assert point
    return PublicKey(kid="", x=point[0].to_bytes(32, "big"), y=point[1].to_bytes(32, "big"))


def _sign(scalar: int, message: bytes, nonce: int) -> tuple[int, int]:
    """Sign with a chosen nonce, so that a seed gives the same case again. Never do this with a real key."""
    point = _point(nonce)
    assert point
    r = point[0] % N
    return r, pow(nonce, -1, N) * (int.from_bytes(sha256(message).digest(), "big") + r * scalar) % N


def _raw(r: int, s: int) -> bytes:
    return (r % 2**256).to_bytes(32, "big") + (s % 2**256).to_bytes(32, "big")


def _flip(data: bytes, rng: random.Random) -> bytes:
    bit = rng.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# ruff: noqa: ARG005 - one shape of lambda for every change
# What may be done to (key, message, r, s). True: it still holds. False: it must not. None: both must agree.
MUTATIONS: dict[str, tuple[bool | None, Callable[[PublicKey, bytes, int, int, random.Random], Case]]] = {
    "untouched": (True, lambda k, m, r, s, _: (k, m, _raw(r, s))),
    "n - s": (True, lambda k, m, r, s, _: (k, m, _raw(r, N - s))),
    "flip in the signature": (False, lambda k, m, r, s, g: (k, m, _flip(_raw(r, s), g))),
    "flip in the message": (False, lambda k, m, r, s, g: (k, _flip(m, g), _raw(r, s))),
    "flip in x": (False, lambda k, m, r, s, g: (k.replace(x=_flip(k.x, g)), m, _raw(r, s))),
    "flip in y": (False, lambda k, m, r, s, g: (k.replace(y=_flip(k.y, g)), m, _raw(r, s))),
    "message longer": (False, lambda k, m, r, s, _: (k, m + b"\0", _raw(r, s))),
    "r is 0": (False, lambda k, m, r, s, _: (k, m, _raw(0, s))),
    "s is 0": (False, lambda k, m, r, s, _: (k, m, _raw(r, 0))),
    "both 0": (False, lambda k, m, r, s, _: (k, m, bytes(64))),
    "r + n": (False, lambda k, m, r, s, _: (k, m, _raw(r + N, s))),
    "s + n": (False, lambda k, m, r, s, _: (k, m, _raw(r, s + N))),
    "r is n": (False, lambda k, m, r, s, _: (k, m, _raw(N, s))),
    "s is n": (False, lambda k, m, r, s, _: (k, m, _raw(r, N))),
    "n - r": (False, lambda k, m, r, s, _: (k, m, _raw(N - r, s))),
    "r is p": (False, lambda k, m, r, s, _: (k, m, _raw(P, s))),
    "all ones": (False, lambda k, m, r, s, _: (k, m, b"\xff" * 64)),
    "r and s are 1": (None, lambda k, m, r, s, _: (k, m, _raw(1, 1))),
    "s is 1": (None, lambda k, m, r, s, _: (k, m, _raw(r, 1))),
    "s is r": (None, lambda k, m, r, s, _: (k, m, _raw(r, r))),
    "s is the hash": (None, lambda k, m, r, s, _: (k, m, _raw(r, int(sha256(m).hexdigest(), 16) % N))),
    "swapped": (False, lambda k, m, r, s, _: (k, m, _raw(s, r))),
    "random": (False, lambda k, m, r, s, g: (k, m, g.randbytes(64))),
    "a byte short": (False, lambda k, m, r, s, _: (k, m, _raw(r, s)[:-1])),
    "a byte long": (False, lambda k, m, r, s, _: (k, m, _raw(r, s) + b"\0")),
    "a zero before": (False, lambda k, m, r, s, _: (k, m, b"\0" + _raw(r, s))),
    "a zero between": (False, lambda k, m, r, s, _: (k, m, _raw(r, s)[:32] + b"\0" + _raw(r, s)[32:])),
    "nothing": (False, lambda k, m, r, s, _: (k, m, b"")),
    "another key": (False, lambda k, m, r, s, g: (_public(g.randrange(1, N)), m, _raw(r, s))),
    "the key's opposite": (
        False,
        lambda k, m, r, s, _: (
            k.replace(y=(P - int.from_bytes(k.y, "big")).to_bytes(32, "big")),
            m,
            _raw(r, s),
        ),
    ),
    "x and y swapped": (False, lambda k, m, r, s, _: (k.replace(x=k.y, y=k.x), m, _raw(r, s))),
    "the origin": (False, lambda k, m, r, s, _: (k.replace(x=bytes(32), y=bytes(32)), m, _raw(r, s))),
    "x a byte long": (False, lambda k, m, r, s, _: (k.replace(x=b"\0" + k.x), m, _raw(r, s))),
    "y a byte short": (False, lambda k, m, r, s, _: (k.replace(y=k.y[1:]), m, _raw(r, s))),
}


@pytest.mark.parametrize("shard", range(SHARDS))
def test_own_and_library_agree_on_seeded_cases(shard: int) -> None:
    """Valid, changed and forged signatures: both verifiers give the same answer, which is the one expected."""
    rng = random.Random(shard)  # noqa: S311 - the seed makes a failure repeatable
    names = list(MUTATIONS)
    small = [1, 2, 3, 4, 7, N - 1, N - 2, N // 2, 2**128, 2**255 % N]
    for number in range(CASES // SHARDS):
        name = names[number % len(names)]
        scalar = rng.choice(small) if rng.random() < 0.2 else rng.randrange(1, N)
        nonce = rng.choice(small) if rng.random() < 0.1 else rng.randrange(1, N)
        message = rng.randbytes(rng.choice((1, 31, 32, 63, 64, 65, 200)))
        r, s = _sign(scalar, message, nonce)
        expected, mutate = MUTATIONS[name]
        case = mutate(_public(scalar), message, r, s, rng)
        ours, theirs = p256_plain.verify_es256(*case), library.verify_es256(*case)
        assert ours == theirs, (name, scalar, nonce, message)
        if expected is not None:
            assert ours == expected, (name, scalar, nonce, message)


@given(
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.integers(1, N - 1),
)
def test_own_and_library_agree_on_any_bytes(
    message: bytes, signature: bytes, x: bytes, y: bytes, scalar: int
) -> None:
    """Whatever the bytes and lengths: neither raises, and both say the same, with a good key or a bad one."""
    for key in (PublicKey(kid="", x=x, y=y), _public(scalar)):
        assert p256_plain.verify_es256(key, message, signature) == library.verify_es256(
            key, message, signature
        )


EDGE_SCALARS = [
    0,
    1,
    2,
    3,
    15,
    16,
    17,
    31,
    32,
    33,
    N - 1,
    N - 2,
    N - 3,
    N // 2,
    N // 2 + 1,
    2**128 - 1,
    2**255 - 1,
    2**255,
    2**256 % N,
]


@pytest.mark.parametrize("scalar", [1, 2, 3, N - 1, N - 2, N // 2, 15, 31, 0x1234567 << 200])
def test_weighted_sum_is_right_where_the_formulas_fail(scalar: int) -> None:
    """u1·G + u2·Q for edge scalars, Q a small or negative multiple of G among them.

    So that equal points, opposite points and infinity occur on the way and as the result.
    """
    point = _point(scalar)
    assert point
    infinities = 0
    for u1 in EDGE_SCALARS:
        # The last makes the sum infinite, the one before it a doubling at the end.
        for u2 in (*EDGE_SCALARS, u1 * pow(scalar, -1, N) % N, -u1 * pow(scalar, -1, N) % N):
            x, y, z = p256_plain._weighted_sum(u1, u2, *point)
            expected = _point(u1 + u2 * scalar)
            if expected is None:
                infinities += 1
                assert z == 0
            else:
                inverse = pow(z, -1, P)
                assert (x * inverse**2 % P, y * inverse**3 % P) == expected
    assert infinities > len(EDGE_SCALARS) // 2


@given(st.integers(0, N - 1), st.integers(0, N - 1), st.integers(1, N - 1))
def test_weighted_sum_is_the_librarys(u1: int, u2: int, scalar: int) -> None:
    """For random scalars, too."""
    point, expected = _point(scalar), _point(u1 + u2 * scalar)
    assert point
    x, y, z = p256_plain._weighted_sum(u1, u2, *point)
    assert (None if z == 0 else (x * pow(z, -2, P) % P, y * pow(z, -3, P) % P)) == expected


@given(st.integers(0, 2**256 - 1))
def test_signed_digits_are_the_scalar(scalar: int) -> None:
    """The digits add up to the scalar, each is 0 or odd and small, and no two stand close together."""
    digits = p256_plain._signed_digits(scalar)
    assert sum(digit << at for at, digit in enumerate(digits)) == scalar
    places = [at for at, digit in enumerate(digits) if digit]
    assert all(digits[at] % 2 == 1 and abs(digits[at]) < 16 for at in places)
    assert all(later - sooner >= 5 for sooner, later in itertools.pairwise(places))


def test_a_signature_made_without_the_key_is_refused() -> None:
    """R = u1·G + u2·Q gives an (r, s) that holds for *some* hash; for the message's own hash it doesn't."""
    key = _public(0xC0FFEE)
    for u1, u2 in ((1, 1), (0, 1), (7, N - 1)):
        x, _, z = p256_plain._weighted_sum(u1, u2, int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big"))
        r = x * pow(z, -2, P) % P % N
        signature = _raw(r, r * pow(u2, -1, N))
        assert not p256_plain.verify_es256(key, b"message", signature)
        assert not library.verify_es256(key, b"message", signature)


def test_on_curve_takes_exactly_the_points() -> None:
    """G is a point; one bit more, a number that is not reduced, and short coordinates are none."""
    x, y = GX.to_bytes(32, "big"), GY.to_bytes(32, "big")
    assert p256.on_curve(x, y)
    assert p256.on_curve(x, (P - GY).to_bytes(32, "big"))
    # x = 0 is on the curve for a root of B, and 0 + P fits in 32 bytes: one point, two spellings.
    root = pow(p256.B, (P + 1) // 4, P)
    assert p256.on_curve(bytes(32), root.to_bytes(32, "big"))
    assert not p256.on_curve(P.to_bytes(32, "big"), root.to_bytes(32, "big"))
    assert not p256.on_curve(y, x)
    assert not p256.on_curve(bytes(32), bytes(32))
    assert not p256.on_curve(x[1:], y)
    assert not p256.on_curve(b"", b"")


def test_an_unreduced_key_is_no_key_for_the_library_verifier() -> None:
    """`cryptography` takes x + p for x; a key with two spellings would have two thumbprints, so we don't."""
    root = pow(p256.B, (P + 1) // 4, P).to_bytes(32, "big")
    assert library._load(PublicKey(kid="", x=bytes(32), y=root)) is not None
    assert library._load(PublicKey(kid="", x=P.to_bytes(32, "big"), y=root)) is None
    assert library._load(PublicKey(kid="", x=bytes(32), y=bytes(32))) is None


@given(st.binary(max_size=300))
def test_sha256_is_hashlibs(data: bytes) -> None:
    """The C module behind it is the same function."""
    assert p256.sha256(data) == sha256(data).digest()


def test_the_warm_modules_import_almost_nothing() -> None:
    """A launch that verifies loads no module of the standard library that costs or opens anything."""
    source = Path(p256.__file__).resolve().parents[2]
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]);"
        "import gatekeeper.trust.chain;"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(source)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ.get("PATH", "")},
    )
    foreign = {name for name in ran.stdout.split() if not name.startswith("gatekeeper")}
    assert foreign <= {"_sha2", "_sha256"}
    assert "gatekeeper.trust.chain" in ran.stdout
