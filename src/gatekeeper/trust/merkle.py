"""Merkle trees as RFC 9162 §2.1 defines them: hashes, proofs, and the checks that anyone can make.

Pure. Whoever makes a proof gives `node`, which returns the hash of a complete subtree by level (0 is the leaves)
and index; where those hashes are kept is theirs to know. Whatever a check is given may be hostile: it answers yes
or no and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
MAX_PROOF = 64  # hashes; a tree of 2^63 leaves needs no more

Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 §2.1.1). The prefix keeps a leaf from passing as an inner node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 §2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def empty_root() -> bytes:
    """Return the root of a tree without leaves."""
    return sha256(b"").digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree from the 2^k hashes of one of its levels. Another number is a bug."""
    level = list(hashes)
    if not level or len(level) & (len(level) - 1):
        raise ValueError("a complete subtree has a power of two of hashes")
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


class Growing:
    """A tree that only grows: its root at any moment, with the memory of a few hashes."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []  # complete subtrees, the widest first
        self.size = 0

    def add(self, hashed: bytes) -> None:
        """Append a leaf's hash."""
        level, made = 0, hashed
        while self._stack and self._stack[-1][0] == level:
            made = node_hash(self._stack.pop()[1], made)
            level += 1
        self._stack.append((level, made))
        self.size += 1

    def root(self) -> bytes:
        """Return the root over the leaves so far."""
        parts = [made for _, made in self._stack]
        if not parts:
            return empty_root()
        root = parts.pop()
        while parts:
            root = node_hash(parts.pop(), root)
        return root


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, in one pass."""
    tree = Growing()
    for one in leaf_hashes:
        tree.add(one)
    return tree.root()


def root_at(size: int, node: Node) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _range_root(0, size, node) if size else empty_root()


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that leaf `index` stands in the tree of `size` leaves (RFC 9162 §2.1.3.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _widest_below(end - start)
        if index < split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start = split
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """Return the proof that the tree of `old` leaves is the beginning of that of `new` (RFC 9162 §2.1.4.1).

    Raises:
        ValueError: not 1 ≤ old ≤ new.
    """
    if not 1 <= old <= new:
        raise ValueError("no such two trees")
    path: list[bytes] = []
    start, end, whole = (
        0,
        new,
        True,
    )  # whole: the old tree is this subtree, and its root is known to the reader
    while old != end:
        split = start + _widest_below(end - start)
        if old <= split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start, whole = split, False
    if not whole:
        path.append(_range_root(start, end, node))
    return path[::-1]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the leaf hash stands at `index` of the tree with this root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes((leaf, root, *proof)):
        return False
    at, last, made = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = node_hash(step, made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            made = node_hash(made, step)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root


def verify_consistency(
    *, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether the tree of `new` leaves grew from that of `old`, nothing changed (RFC 9162 §2.1.4.2).

    An old tree without leaves proves nothing about the new one, so it is refused.
    """
    if not 1 <= old <= new or not _are_hashes((old_root, new_root, *proof)):
        return False
    if old == new:
        return not proof and old_root == new_root
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not steps:
        return False
    left = right = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            left, right = node_hash(step, left), node_hash(step, right)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            right = node_hash(right, step)
        at, last = at >> 1, last >> 1
    return last == 0 and left == old_root and right == new_root


def _are_hashes(given: Sequence[bytes]) -> bool:
    return len(given) <= MAX_PROOF + 2 and all(len(one) == HASH_BYTES for one in given)


def _widest_below(count: int) -> int:
    """Return the largest power of two that is smaller than `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, node: Node) -> bytes:
    """Return the root over the leaves start … end - 1, a range that some split of the tree made."""
    parts: list[bytes] = []
    while start < end:
        wide = 1 << (end - start).bit_length() - 1
        level = wide.bit_length() - 1
        parts.append(node(level, start >> level))
        start += wide
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root
