"""Tables hold the multiples they should, and a verification by tables says what one without says."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust import by_tables
from tests.trust.test_p256 import CASES, EDGE_SCALARS, MUTATIONS, _point, _public, _raw, _sign

from gatekeeper.trust import library, p256, p256_plain
from gatekeeper.trust.p256 import TABLE_BYTES, TABLE_DIGITS, TABLE_WIDTH, TABLE_WINDOWS, N, P

# Few keys, since each needs a table; among them those at which formulas fail.
SCALARS = (1, 2, 3, N - 1, N // 2, 0xC0FFEE << 200)


def _table(scalar: int) -> bytes:
    key = _public(scalar)
    return by_tables.table_of(key.x, key.y)


def _picked(scalar_of_key: int, scalar: int) -> list[p256.Affine]:
    points = p256._picked(by_tables.reader(_table(scalar_of_key)), scalar)
    assert points is not None
    return points


def _affine(point: p256.Point) -> tuple[int, int] | None:
    x, y, z = point
    return None if z == 0 else (x * pow(z, -2, P) % P, y * pow(z, -3, P) % P)


def test_a_table_holds_the_multiples_that_its_places_say() -> None:
    """Every window's digits, against `cryptography`: the first, the last, and what lies at both ends of a window."""
    scalar = 0xABCDEF
    table = _table(scalar)
    assert len(table) == TABLE_BYTES == TABLE_WINDOWS * TABLE_DIGITS * 64
    for window in range(TABLE_WINDOWS):
        for digit in (1, 2, 17, TABLE_DIGITS - 1, TABLE_DIGITS):
            expected = _point((digit << (TABLE_WIDTH * window)) * scalar)
            assert expected
            at = (window * TABLE_DIGITS + digit - 1) * 64
            assert table[at : at + 64] == b"".join(number.to_bytes(32, "big") for number in expected)


@pytest.mark.parametrize("scalar", [0, 1, 511, 512, 513, 1023, 1024, N - 1, N, 2**255, 2**256 - 1])
def test_the_picked_points_add_up(scalar: int) -> None:
    """For every scalar below 2^256, the largest among them: no digit is lost at either end."""
    assert _affine(p256._sum_of(_picked(1, scalar))) == _point(scalar)


@pytest.mark.parametrize("scalar", SCALARS)
def test_sums_by_tables_are_right_where_the_formulas_fail(scalar: int) -> None:
    """u1·G + u2·Q for edge scalars: equal points, opposite points and infinity, on the way and as the result."""
    infinities = 0
    for u1 in EDGE_SCALARS:
        for u2 in (*EDGE_SCALARS[::3], u1 * pow(scalar, -1, N) % N, -u1 * pow(scalar, -1, N) % N):
            total = p256._sum_of([*_picked(1, u1), *_picked(scalar, u2)])
            expected = _point(u1 + u2 * scalar)
            infinities += expected is None
            assert _affine(total) == expected, (u1, u2)
    assert infinities >= len(EDGE_SCALARS)


@given(st.lists(st.integers(-40, 40).filter(bool), max_size=100))
def test_a_sum_of_any_points_is_right(multiples: list[int]) -> None:
    """Small multiples of G meet each other all the time: equal and opposite pairs at every stage."""
    points = [_point(multiple) for multiple in multiples]
    total = p256._sum_of([point for point in points if point is not None])
    assert _affine(total) == _point(sum(multiples))


def test_tables_own_and_library_agree_on_seeded_cases() -> None:
    """Valid, changed and forged signatures: the three verifiers give one answer, which is the one expected."""
    rng = random.Random(8)  # noqa: S311 - the seed makes a failure repeatable
    own = {name: change for name, change in MUTATIONS.items() if name not in {"flip in x", "another key"}}
    names = list(own)
    for number in range(CASES // 4):
        name = names[number % len(names)]
        scalar = rng.choice(SCALARS)
        message = rng.randbytes(rng.choice((1, 64, 200)))
        nonce = rng.choice(SCALARS) if rng.random() < 0.2 else rng.randrange(1, N)
        r, s = _sign(scalar, message, nonce)
        expected, mutate = own[name]
        case = mutate(_public(scalar), message, r, s, rng)
        answer = by_tables.verify_es256(*case)
        assert answer == p256_plain.verify_es256(*case) == library.verify_es256(*case), (name, scalar, nonce)
        if expected is not None:
            assert answer == expected, (name, scalar, nonce)


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_any_bytes_as_a_signature_give_the_same_answer(message: bytes, signature: bytes) -> None:
    """Whatever the bytes and lengths, nothing raises and nothing holds."""
    key = _public(3)
    assert by_tables.verify_es256(key, message, signature) == library.verify_es256(key, message, signature)


@given(st.binary(min_size=64, max_size=64), st.integers(1, N - 1), st.integers(1, N - 1))
def test_tables_of_anything_raise_nothing(filling: bytes, r: int, s: int) -> None:
    """A table is the caller's to trust, but the arithmetic survives one that holds no point at all."""
    for point in (bytes(64), filling, b"\xff" * 64):
        table = by_tables.reader(point * (TABLE_BYTES // 64))
        assert p256.verify_by_tables(b"m", _raw(r, s), of_g=table, of_key=table) in (True, False)


@pytest.mark.parametrize("missing", ["of_g", "of_key"])
def test_without_a_table_nothing_holds(missing: str) -> None:
    """Else anybody could sign: with u2·Q left out, the point u1·G has an x that everybody knows; and so the other way."""
    own, message, s = 0xC0FFEE, b"m", 12345
    tables = {"of_g": by_tables.reader(_table(1)), "of_key": by_tables.reader(_table(own))}
    digest = int.from_bytes(p256.sha256(message), "big")
    if missing == "of_key":
        known = _point(digest * pow(s, -1, N) % N)
        assert known
        r = known[0] % N
    else:  # r·Q/s has the x that r says for some s of the signer's choice alone; any signature stands for it
        r = 1
    assert not p256.verify_by_tables(message, _raw(r, s), **{**tables, missing: lambda _: []})
    short = by_tables.reader(_table(1))
    assert not p256.verify_by_tables(message, _raw(r, s), **{**tables, missing: lambda at: short(at)[1:]})
