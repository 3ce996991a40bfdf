"""The Merkle tree over the record: which entry is which leaf, and the tiles that hold the hashes.

An entry is written in the transaction of its act; it becomes a leaf a moment later, by whichever process comes first
(`grow`). Leaves stand in the order of `seq`, without gaps: the store lets one writer in at a time, so a number that was
given earlier is committed earlier, or never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import entry_of_row
from gatekeeper.service.store.tables.audit import audit_bundles, audit_entries, audit_tiles, audit_tree
from gatekeeper.trust.merkle import HASH_BYTES, fold, leaf_hash, root_at
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from gatekeeper.documents.audit_entry import AuditEntry
    from gatekeeper.service.store.transactions import Store
    from gatekeeper.trust.merkle import Node

HEIGHT = 8
WIDTH = 1 << HEIGHT
_BATCH = 4096


class Tree(Value):
    """How far the tree has come: its leaves, and the entry that is the newest of them."""

    size: int
    last_seq: int


def tree_of(tx: Connection) -> Tree:
    """Return how far the tree is. Raises `GatekeeperError` GK506 where that was deleted."""
    wanted = select(audit_tree.c.size, audit_tree.c.last_seq).where(audit_tree.c.id == 1)
    row = tx.execute(wanted).one_or_none()
    if row is None:
        # A deleted head would let a tree begin anew over what is left.
        raise GatekeeperError("GK506", "The audit log's tree has lost its head: audit_tree is empty.")
    return Tree(size=row.size, last_seq=row.last_seq)


def grow(store: Store) -> int:
    """Make leaves of all entries that are settled; return how many. Any number of processes may do it at once."""
    with store.read() as tx:
        newest = tx.execute(select(func.max(audit_entries.c.seq))).scalar_one() or 0
        if newest <= tree_of(tx).last_seq:
            return 0
    count = 0
    while True:
        with store.write() as tx:
            made = append_leaves(tx)
        count += made
        if made < _BATCH:
            return count


def append_leaves(tx: Connection, *, limit: int = _BATCH) -> int:
    """Append the next entries to the tree, in a write transaction; return how many there were."""
    tree = tree_of(tx)
    wanted = select(audit_entries).where(audit_entries.c.seq > tree.last_seq)
    rows = tx.execute(wanted.order_by(audit_entries.c.seq).limit(limit)).all()
    if not rows:
        return 0
    tiles = _Tiles(tx)
    bundles = []
    for index, row in enumerate(rows, start=tree.size):
        if index % WIDTH == 0:
            bundles.append({"number": index // WIDTH, "first_seq": row.seq})
        tiles.append(index, leaf_hash(render_audit_entry(entry_of_row(row))))
    tiles.save()
    if bundles:
        tx.execute(insert(audit_bundles), bundles)
    tx.execute(
        update(audit_tree)
        .where(audit_tree.c.id == 1)
        .values(size=tree.size + len(rows), last_seq=rows[-1].seq)
    )
    return len(rows)


def node_of(tx: Connection) -> Node:
    """Return where proofs find the hash of a complete subtree, reading each tile once."""
    tiles: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        tier, low = divmod(level, HEIGHT)
        first = index << low
        at = (tier, first // WIDTH)
        if at not in tiles:
            tiles[at] = load_tile(tx, *at)
        start = first % WIDTH * HASH_BYTES
        hashes = tiles[at][start : start + (HASH_BYTES << low)]
        if len(hashes) != HASH_BYTES << low:
            raise GatekeeperError("GK506", f"The audit log's tile {at[0]}/{at[1]} lacks hashes.")
        return fold([hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)])

    return node


def load_tile(tx: Connection, level: int, number: int) -> bytes:
    """Return the hashes of a tile as far as it is filled, none where there is no such tile."""
    wanted = select(audit_tiles.c.data).where(audit_tiles.c.level == level, audit_tiles.c.number == number)
    data = tx.execute(wanted).scalar_one_or_none()
    return b"" if data is None else bytes(data)


def root_now(tx: Connection, size: int) -> bytes:
    """Return the root of the first `size` leaves. Raises `GatekeeperError` GK506 where tiles are missing."""
    return root_at(size, node_of(tx))


def leaves(tx: Connection, *, start: int, count: int) -> list[tuple[int, AuditEntry]]:
    """Return up to `count` (at most 256) entries from leaf `start`, with their indexes."""
    tree = tree_of(tx)
    number = start // WIDTH
    first = tx.execute(
        select(audit_bundles.c.first_seq).where(audit_bundles.c.number == number)
    ).scalar_one_or_none()
    if first is None or start >= tree.size:
        return []
    found: list[tuple[int, AuditEntry]] = []
    wanted = (
        select(audit_entries)
        .where(audit_entries.c.seq >= first, audit_entries.c.seq <= tree.last_seq)
        .order_by(audit_entries.c.seq)
        .offset(start % WIDTH)
        .limit(min(count, WIDTH))
    )
    for index, row in enumerate(tx.execute(wanted), start=start):
        found.append((index, entry_of_row(row)))
    return found


def index_of(tx: Connection, seq: int) -> int | None:
    """Return which leaf an entry is, None as long as it is none."""
    if seq > tree_of(tx).last_seq:
        return None
    bundle = tx.execute(
        select(audit_bundles)
        .where(audit_bundles.c.first_seq <= seq)
        .order_by(audit_bundles.c.first_seq.desc())
        .limit(1)
    ).one_or_none()
    if bundle is None:
        return None
    before = select(func.count()).where(audit_entries.c.seq >= bundle.first_seq, audit_entries.c.seq < seq)
    return int(bundle.number) * WIDTH + int(tx.execute(before).scalar_one())


class _Tiles:
    """The tiles that an append touches, read once and written once."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._open: dict[int, tuple[int, bytearray]] = {}  # level → number, hashes
        self._done: dict[tuple[int, int], bytes] = {}
        self._known: set[tuple[int, int]] = set()

    def append(self, index: int, hashed: bytes) -> None:
        """Append the hash that stands at `index` of its level, the leaves first."""
        level = 0
        while True:
            number, place = divmod(index, WIDTH)
            data = self._tile(level, number)
            if len(data) != place * HASH_BYTES:
                raise GatekeeperError("GK506", f"The audit log's tile {level}/{number} doesn't fit the tree.")
            data += hashed
            if place < WIDTH - 1:
                return
            self._done[level, number] = bytes(data)
            del self._open[level]
            hashed = fold([bytes(data[i : i + HASH_BYTES]) for i in range(0, len(data), HASH_BYTES)])
            level, index = level + 1, number

    def save(self) -> None:
        """Write every tile that was touched."""
        rest = {(level, number): bytes(data) for level, (number, data) in self._open.items()}
        changed = self._done | rest
        new = [at for at in changed if at not in self._known]
        for level, number in changed.keys() - set(new):
            same = (audit_tiles.c.level == level) & (audit_tiles.c.number == number)
            self._tx.execute(update(audit_tiles).where(same).values(data=changed[level, number]))
        if new:
            rows: Iterable[dict[str, object]] = (
                {"level": level, "number": number, "data": changed[level, number]} for level, number in new
            )
            self._tx.execute(insert(audit_tiles), list(rows))

    def _tile(self, level: int, number: int) -> bytearray:
        if level not in self._open:
            data = load_tile(self._tx, level, number)
            if data:
                self._known.add((level, number))
            self._open[level] = (number, bytearray(data))
        return self._open[level][1]
