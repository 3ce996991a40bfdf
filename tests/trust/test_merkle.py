"""Merkle proofs as properties: whatever tree grows from whatever other, proofs hold, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.trust.merkle import (
    consistency_proof,
    empty_root,
    fold,
    inclusion_proof,
    leaf_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([number % 251, number // 251])) for number in range(600)]


def node(level: int, index: int) -> bytes:
    """Return a complete subtree's hash from the leaves alone."""
    return fold(LEAVES[index << level : (index + 1) << level])


def naive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 9162 §2.1.1, word for word."""
    from hashlib import sha256

    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


sizes = st.integers(min_value=1, max_value=len(LEAVES))


@given(size=sizes)
def test_three_ways_to_the_same_root(size: int) -> None:
    """One pass, complete subtrees, and the definition agree."""
    assert root_of(LEAVES[:size]) == root_at(size, node) == naive_root(LEAVES[:size])


def test_no_leaves_have_a_root_too() -> None:
    """RFC 9162 §2.1.1."""
    assert root_of([]) == root_at(0, node) == empty_root()


@given(data=st.data(), size=sizes)
def test_every_leaf_is_proved_at_its_place_alone(data: st.DataObject, size: int) -> None:
    """A proof holds for its leaf, index and size, and for no other of them."""
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    proof = inclusion_proof(index, size, node)
    root = root_at(size, node)
    good = {"leaf": LEAVES[index], "index": index, "size": size, "proof": proof, "root": root}
    assert verify_inclusion(**good)  # type: ignore[arg-type]
    assert not verify_inclusion(**{**good, "leaf": LEAVES[(index + 1) % 600]})  # type: ignore[arg-type]
    assert not verify_inclusion(**{**good, "index": size})  # type: ignore[arg-type]
    assert not verify_inclusion(**{**good, "proof": [*proof, root]})  # type: ignore[arg-type]
    if proof:
        assert not verify_inclusion(**{**good, "proof": proof[:-1]})  # type: ignore[arg-type]
        assert not verify_inclusion(**{**good, "index": index ^ 1})  # type: ignore[arg-type]
        assert not verify_inclusion(**{**good, "proof": [proof[0][:31], *proof[1:]]})  # type: ignore[arg-type]


@given(data=st.data(), new=sizes)
def test_what_grew_is_proved_and_what_was_rewritten_is_not(data: st.DataObject, new: int) -> None:
    """A proof holds for the tree that was; one leaf changed in it, and no proof does."""
    old = data.draw(st.integers(min_value=1, max_value=new))
    proof = consistency_proof(old, new, node)
    before, after = root_at(old, node), root_at(new, node)
    assert verify_consistency(old=old, new=new, old_root=before, new_root=after, proof=proof)
    changed = data.draw(st.integers(min_value=0, max_value=old - 1))
    other = root_of([*LEAVES[:changed], leaf_hash(b"other"), *LEAVES[changed + 1 : old]])
    assert not verify_consistency(old=old, new=new, old_root=other, new_root=after, proof=proof)
    if old < new:
        assert not verify_consistency(old=new, new=old, old_root=after, new_root=before, proof=proof)
        assert not verify_consistency(old=old, new=new, old_root=before, new_root=before, proof=proof)


def test_proofs_that_nobody_can_make_are_refused() -> None:
    """Sizes and places that there aren't are misuse here, and a plain no where somebody else claims them."""
    for index, size in ((1, 1), (-1, 3), (0, 0)):
        with pytest.raises(ValueError, match="leaf"):
            inclusion_proof(index, size, node)
        assert not verify_inclusion(leaf=LEAVES[0], index=index, size=size, proof=[], root=LEAVES[0])
    for old, new in ((0, 1), (2, 1), (0, 0)):
        with pytest.raises(ValueError, match="trees"):
            consistency_proof(old, new, node)
        assert not verify_consistency(old=old, new=new, old_root=LEAVES[0], new_root=LEAVES[0], proof=[])
    for count in (0, 3):
        with pytest.raises(ValueError, match="power"):
            fold(LEAVES[:count])
    many = [LEAVES[0]] * 1000
    assert not verify_consistency(old=3, new=9, old_root=LEAVES[0], new_root=LEAVES[0], proof=many)
    assert not verify_consistency(old=3, new=9, old_root=LEAVES[0], new_root=LEAVES[0], proof=[])
