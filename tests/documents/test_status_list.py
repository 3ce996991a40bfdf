"""The status list: the draft's vectors, packing, the inflation cap."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.documents.status_list import (
    ENTRIES,
    StatusList,
    deflate,
    inflate,
    pack,
    parse_status_list,
    render_status_list,
)
from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import b64url_encode
from gatekeeper.trust.published import VerifiedStatus

VECTORS = (
    Path(
        os.environ.get("GATEKEEPER_VECTORS")
        or Path(__file__).resolve().parents[3] / "shared/reference/vectors"
    )
    / "statuslist/vectors.json"
)


def _list_of(bits: int, packed: bytes) -> StatusList:
    return StatusList(uri="u", issued_at=0, expires_at=1, ttl=1, bits=bits, packed=packed)


@pytest.mark.skipif(not VECTORS.exists(), reason=f"no vectors of the draft at {VECTORS}")
def test_every_list_of_the_draft_is_read() -> None:
    """Every status of the draft's lists is where the draft says, and every other is 0."""
    seen = 0
    for vector in json.loads(VECTORS.read_text()):
        if "nonzero" not in vector:
            continue
        seen += 1
        bits, size = vector["bits"], vector["size"]
        read = _list_of(bits, inflate(vector["lst"], bits=bits, max_entries=size))
        expected = {int(index): status for index, status in vector["nonzero"].items()}
        for index in [*expected, 1, 1992, 1994, size - 1]:
            assert read.status_at(index) == expected.get(index, 0)
        assert pack(expected.items(), bits=bits, entries=size) == read.packed
    assert seen >= 2


def test_the_lowest_bits_of_a_byte_come_first() -> None:
    """The draft's §4.1 example for one bit and for two gives the draft's bytes."""
    one = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    assert pack(enumerate(one), bits=1, entries=16) == bytes([0xB9, 0xA3])
    two = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    assert pack(enumerate(two), bits=2, entries=12) == bytes([0xC9, 0x44, 0xF9])


@given(
    st.sampled_from((1, 2, 4, 8)).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.lists(st.integers(0, 2**bits - 1), min_size=8, max_size=64).filter(lambda s: len(s) % 8 == 0),
        )
    )
)
def test_what_is_packed_is_read(case: tuple[int, list[int]]) -> None:
    """Packing, deflating, inflating and reading give each status back."""
    bits, statuses = case
    packed = pack(enumerate(statuses), bits=bits, entries=len(statuses))
    read = _list_of(bits, inflate(deflate(packed), bits=bits, max_entries=len(statuses)))
    assert [read.status_at(index) for index in range(len(statuses))] == statuses


@pytest.mark.parametrize("index", [-1, ENTRIES, ENTRIES + 1])
def test_an_index_outside_is_refused(index: int) -> None:
    """An index outside the list has no status (draft §8.3)."""
    with pytest.raises(Malformed):
        _list_of(2, bytes(ENTRIES // 4)).status_at(index)


def test_a_bomb_is_never_inflated() -> None:
    """A small lst that would inflate beyond its entries is refused, without being inflated."""
    bomb = b64url_encode(zlib.compress(bytes(64 * 1024 * 1024), 9))
    with pytest.raises(Malformed):
        inflate(bomb, bits=2, max_entries=ENTRIES)


def test_one_status_too_many_is_refused() -> None:
    """The cap is exact: a byte beyond the entries is refused, the entries themselves are not."""
    assert len(inflate(deflate(bytes(32)), bits=2, max_entries=128)) == 32
    with pytest.raises(Malformed):
        inflate(deflate(bytes(33)), bits=2, max_entries=128)


@given(st.data())
def test_a_damaged_stream_never_reads_as_another_list(data: st.DataObject) -> None:
    """A cut stream, or bytes after its end, are refused."""
    whole = zlib.compress(data.draw(st.binary(min_size=32, max_size=64)), 9)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for bad in (cut, whole + b"\0"):
        with pytest.raises(Malformed):
            inflate(b64url_encode(bad), bits=8, max_entries=64)


def test_parsing_is_the_inverse_of_rendering() -> None:
    """The claims of a list read back as the same list, and a list without statuses is GK502."""
    whole = StatusList(
        uri="https://gatekeeper.acme.example/status/0",
        issued_at=10,
        expires_at=20,
        ttl=5,
        bits=2,
        packed=pack([(3, 2), (70_000, 1)], bits=2, entries=ENTRIES),
    )
    claims = render_status_list(whole)
    assert parse_status_list(VerifiedStatus(kid="k", claims=claims)) == whole
    with pytest.raises(TrustError, match="GK502"):
        parse_status_list(VerifiedStatus(kid="k", claims=claims | {"status_list": {"bits": 3, "lst": "eA"}}))
