"""Whether a log is what was signed: every row, the tree over the rows, every kept head, and heads from outside.

A database proves nothing by itself to whoever may have replaced it whole, so two things from outside count most: the
root key's thumbprint that the clients pin, and heads that others kept (a workstation, the SIEM, an earlier report).
Nothing here writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from gatekeeper.documents.audit_entry import render_audit_entry, salted_hash
from gatekeeper.documents.checkpoint import parse_checkpoint, peek_checkpoint
from gatekeeper.errors import GatekeeperError, Malformed, TrustError
from gatekeeper.service.audit.checkpoints import checkpoints_of, read_root
from gatekeeper.service.audit.log import entry_of_row
from gatekeeper.service.audit.tree import WIDTH, tree_of
from gatekeeper.service.store.tables.audit import audit_bundles, audit_entries, audit_names, audit_tiles
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.trust.library import verify_ed25519, verify_es256
from gatekeeper.trust.merkle import HASH_BYTES, Growing, fold, leaf_hash
from gatekeeper.trust.root_documents import verify_chain
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from gatekeeper.trust.root_documents import LogPublicKey, RootDocument

_MOST_FAULTS = 20
_BATCH = 2000


class Verdict(Value):
    """What was found. `faults` are words for people; without any the log holds. `root_keys` are the pins it rests on."""

    entries: int
    pending: int  # recorded, and not in the tree yet
    size: int  # of the newest signed head
    origin: str
    heads: int  # how many signed heads were checked
    root_keys: tuple[str, ...]
    faults: tuple[str, ...]


def verify_log(tx: Connection, *, pins: tuple[str, ...] = (), outside: Sequence[str] = ()) -> Verdict:
    """Check the whole log. `pins` are thumbprints of root keys, `outside` heads (notes) that others kept.

    Raises:
        GatekeeperError: GK101, the database has no root document to check anything against.
    """
    faults: list[str] = []
    roots = _roots(tx, pins, faults)
    try:
        tree = tree_of(tx)
        last_seq, size = tree.last_seq, tree.size
    except GatekeeperError as error:
        faults.append(error.detail)
        last_seq = tx.execute(select(func.max(audit_entries.c.seq))).scalar_one() or 0
        size = 0
    seqs, hashes = _leaves(tx, last_seq)
    tiles = _tiles(tx, faults)
    _compare(seqs, hashes, tiles, faults)
    if size != len(hashes):
        faults.append(f"the tree counts {size} entries; {len(hashes)} stand in the database")
    _check_bundles(tx, seqs, faults)
    heads = _heads(tx, roots, outside, faults)
    _check_heads(hashes, heads, faults)
    _check_names(tx, faults)
    _check_triggers(tx, faults)
    own = [(origin, at) for origin, at, _, where in heads if where == "kept here"]
    pending = tx.execute(select(func.count()).where(audit_entries.c.seq > last_seq)).scalar_one()
    return Verdict(
        entries=len(hashes),
        pending=pending,
        size=own[-1][1] if own else 0,
        origin=roots[-1].log_origin,
        heads=len(heads),
        root_keys=tuple(key.kid for key in roots[-1].roots),
        faults=tuple(faults[:_MOST_FAULTS]),
    )


def log_keys(roots: Sequence[RootDocument]) -> dict[str, tuple[LogPublicKey, ...]]:
    """Return by which keys each log's heads may be signed."""
    keys: dict[str, tuple[LogPublicKey, ...]] = {}
    for root in roots:
        keys[root.log_origin] = tuple(dict.fromkeys((*keys.get(root.log_origin, ()), *root.log)))
    return keys


def checked_roots(
    documents: Sequence[bytes], *, pins: tuple[str, ...], faults: list[str]
) -> list[RootDocument]:
    """Return the root documents, oldest first, noting where their chain doesn't hold. Raises `GatekeeperError` GK101."""
    roots = [read_root(document) for document in documents]
    if not roots:
        raise GatekeeperError("GK101", "There is no root document: nothing can be verified without one.")
    own = tuple(key.kid for key in roots[0].roots)
    try:
        verify_chain(
            documents,
            pins=pins or own,
            pin_threshold=min(len(pins), 2) or roots[0].threshold,
            issuer=roots[0].issuer,
            min_version=1,
            verify=verify_es256,
        )
    except TrustError as error:
        faults.append(f"the root documents don't hold: {error.detail}")
    return roots


def _roots(tx: Connection, pins: tuple[str, ...], faults: list[str]) -> list[RootDocument]:
    wanted = select(root_documents.c.document).order_by(root_documents.c.version)
    return checked_roots([bytes(one) for one in tx.execute(wanted).scalars()], pins=pins, faults=faults)


def _leaves(tx: Connection, last_seq: int) -> tuple[list[int], list[bytes]]:
    seqs: list[int] = []
    hashes: list[bytes] = []
    after = 0
    while True:
        within = (audit_entries.c.seq > after) & (audit_entries.c.seq <= last_seq)
        rows = tx.execute(
            select(audit_entries).where(within).order_by(audit_entries.c.seq).limit(_BATCH)
        ).all()
        for row in rows:
            seqs.append(row.seq)
            try:
                hashes.append(leaf_hash(render_audit_entry(entry_of_row(row))))
            except (TypeError, ValueError, AttributeError):
                hashes.append(leaf_hash(b"unreadable"))  # no entry of ours: it matches nothing
        if not rows:
            return seqs, hashes
        after = rows[-1].seq


def _tiles(tx: Connection, faults: list[str]) -> list[bytes]:
    """Return the leaf hashes of the tiles, after checking that every higher tile follows from the lower."""
    levels: dict[int, list[bytes]] = {}
    ordered = select(audit_tiles).order_by(audit_tiles.c.level, audit_tiles.c.number)
    for row in tx.execute(ordered):
        data, below = bytes(row.data), levels.setdefault(row.level, [])
        if row.number * WIDTH != len(below) or len(data) % HASH_BYTES or not data:
            faults.append(f"tile {row.level}/{row.number} doesn't follow the one before it")
        below += [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    for level in sorted(levels):
        below = levels[level]
        full = [fold(below[at : at + WIDTH]) for at in range(0, len(below) - WIDTH + 1, WIDTH)]
        if full != levels.get(level + 1, []):
            faults.append(f"the tiles of level {level + 1} don't follow from those of level {level}")
    return levels.get(0, [])


def _compare(seqs: list[int], hashes: list[bytes], tiles: list[bytes], faults: list[str]) -> None:
    """Walk rows and tiles side by side, and say what happened to each row that doesn't fit."""
    row = leaf = 0
    while row < len(hashes) and leaf < len(tiles) and len(faults) < _MOST_FAULTS:
        if hashes[row] == tiles[leaf]:
            row, leaf = row + 1, leaf + 1
        elif leaf + 1 < len(tiles) and hashes[row] == tiles[leaf + 1]:
            faults.append(f"entry {leaf} was dropped (before seq {seqs[row]})")
            leaf += 1
        elif row + 1 < len(hashes) and hashes[row + 1] == tiles[leaf]:
            faults.append(f"seq {seqs[row]} was slipped in (before entry {leaf})")
            row += 1
        else:
            faults.append(f"entry {leaf} (seq {seqs[row]}) was edited")
            row, leaf = row + 1, leaf + 1
    if len(faults) >= _MOST_FAULTS:
        return
    if leaf < len(tiles):
        faults.append(f"the last {len(tiles) - leaf} entries are missing, from entry {leaf} on")
    if row < len(hashes):
        faults.append(f"{len(hashes) - row} entries stand outside the tree, from seq {seqs[row]} on")


def _check_bundles(tx: Connection, seqs: list[int], faults: list[str]) -> None:
    rows = tx.execute(select(audit_bundles).order_by(audit_bundles.c.number)).all()
    expected = [(number, seqs[number * WIDTH]) for number in range((len(seqs) + WIDTH - 1) // WIDTH)]
    if [(row.number, row.first_seq) for row in rows] != expected:
        faults.append("the index of the bundles doesn't fit the entries")


def _heads(
    tx: Connection, roots: list[RootDocument], outside: Sequence[str], faults: list[str]
) -> list[tuple[str, int, bytes, str]]:
    """Return every head that is signed: origin, size, root, and where it comes from."""
    keys = log_keys(roots)
    heads: list[tuple[str, int, bytes, str]] = []
    given = [(note, "kept here") for _, note in checkpoints_of(tx)] + [
        (note, "kept outside") for note in outside
    ]
    for note, where in given:
        try:
            claimed = peek_checkpoint(note)
            head = parse_checkpoint(
                note, origin=claimed.origin, keys=keys.get(claimed.origin, ()), verify=verify_ed25519
            )
        except (Malformed, TrustError) as error:
            words = error.reason if isinstance(error, Malformed) else error.detail
            faults.append(f"a head {where} doesn't hold: {words}")
            continue
        heads.append((head.origin, head.size, head.root, where))
    return heads


def _check_heads(hashes: list[bytes], heads: list[tuple[str, int, bytes, str]], faults: list[str]) -> None:
    by_size: dict[int, list[tuple[str, bytes, str]]] = {}
    for origin, size, root, where in heads:
        by_size.setdefault(size, []).append((origin, root, where))
    tree = Growing()
    good = 0
    for hashed in hashes:
        tree.add(hashed)
        for origin, root, where in by_size.pop(tree.size, ()):
            if root == tree.root():
                good = tree.size
            else:
                faults.append(
                    f"a head {where} ({origin}, {tree.size} entries) was signed for other entries: "
                    f"something before entry {tree.size} changed, after entry {good} as far as is proved"
                )
    for size in sorted(by_size):
        for origin, _, where in by_size[size]:
            faults.append(
                f"a head {where} ({origin}) was signed for {size} entries and there are {len(hashes)}: "
                "the log was cut off, or restored from an older copy"
            )


def _check_names(tx: Connection, faults: list[str]) -> None:
    for row in tx.execute(select(audit_names)):
        if salted_hash(bytes(row.salt), row.text) != row.hash:
            faults.append(f"the text for the hash {row.hash} was changed")


def _check_triggers(tx: Connection, faults: list[str]) -> None:
    if tx.dialect.name == "sqlite":
        found = tx.execute(
            text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'")
        ).scalar_one()
    else:
        found = tx.execute(
            text(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_entries'::regclass "
                "AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
            )
        ).scalar_one()
    if found < 2:
        faults.append("the triggers that keep audit_entries append-only are gone")
