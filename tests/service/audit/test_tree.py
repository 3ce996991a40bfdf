"""The tree over the record: every entry once, in order, whoever makes it grow, on both databases."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text
from tests.service.audit_parts import head, keep_now
from tests.service.local import ISSUER, LocalService
from tests.service.store.parts import at_once

from gatekeeper.documents.audit_entry import parse_audit_entry, render_audit_entry
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.audit.checkpoints import checkpoints_of, latest_checkpoint
from gatekeeper.service.audit.keeper import keep
from gatekeeper.service.audit.log import entries, record
from gatekeeper.service.audit.tree import grow, index_of, leaves, node_of, root_now, tree_of
from gatekeeper.trust.merkle import inclusion_proof, leaf_hash, root_of, verify_inclusion


def note(local: LocalService, count: int, *, actor: str = "d_1") -> None:
    """Record some acts."""
    with local.store.write() as tx:
        for number in range(count):
            record(tx, at=local.now, actor=actor, act="test.done", object=f"T-{number}", detail={"n": number})


def all_leaves(local: LocalService) -> list[bytes]:
    """Return every leaf, read bundle by bundle."""
    with local.store.read() as tx:
        found: list[bytes] = []
        while batch := leaves(tx, start=len(found), count=256):
            assert [index for index, _ in batch] == list(range(len(found), len(found) + len(batch)))
            found += [render_audit_entry(entry) for _, entry in batch]
        return found


@pytest.mark.parametrize("more", [0, 1, 254, 255, 256, 700])
def test_every_entry_is_one_leaf_in_order(local: LocalService, more: int) -> None:
    """The root over the tiles is the root over the leaves, and each leaf is proved."""
    note(local, more)
    seen = keep_now(local)
    found = all_leaves(local)
    assert seen.size == len(found) == more + 1  # one for the service's making
    assert seen.root == root_of(map(leaf_hash, found))
    assert seen.origin == f"{ISSUER.removeprefix('https://')}/log/1"
    with local.store.read() as tx:
        node = node_of(tx)
        for index in {0, seen.size // 2, seen.size - 1}:
            proof = inclusion_proof(index, seen.size, node)
            leaf = leaf_hash(found[index])
            assert verify_inclusion(leaf=leaf, index=index, size=seen.size, proof=proof, root=seen.root)
            assert index_of(tx, parse_audit_entry(found[index]).seq) == index


def test_it_grows_as_if_it_had_been_made_at_once(local: LocalService) -> None:
    """Small steps across the edge of a tile leave the same tree."""
    for count in (1, 3, 200, 51, 2, 1, 300):
        note(local, count)
        keep_now(local)
        assert head(local).root == root_of(map(leaf_hash, all_leaves(local)))


def test_what_was_rolled_back_is_no_leaf(local: LocalService) -> None:
    """On PostgreSQL a number is lost with it; the tree has no gap."""
    with local.store.write() as tx:
        record(tx, at=1, actor="d_1", act="test.undone", object="", detail={})
        tx.rollback()
    note(local, 2)
    assert keep_now(local).size == 3


def test_a_head_is_signed_once_and_the_last_of_an_hour_stays(local: LocalService) -> None:
    """Heads don't pile up with the tokens that are issued."""
    first = keep_now(local)
    assert keep_now(local) == first
    note(local, 1)
    second = keep_now(local)
    local.now += 3600
    note(local, 1)
    third = keep_now(local)
    with local.store.read() as tx:
        assert [kept for _, kept in checkpoints_of(tx)] == [second.note, third.note]
        assert latest_checkpoint(tx) == third.note.encode()


def test_several_that_keep_at_once_make_one_tree(local: LocalService) -> None:
    """However many processes do it, each leaf comes once, while others record."""
    key = local.service.authority.keys.log

    def work(turn: int) -> str:
        for _ in range(8):
            if turn % 2:
                note(local, 5, actor=f"d_{turn}")
            else:
                keep(local.store, key, now=local.now)
        return "done"

    assert at_once(*(partial(work, turn) for turn in range(6))) == ["done"] * 6
    seen = keep_now(local)
    found = all_leaves(local)
    assert len(found) == len(set(found)) == seen.size == 1 + 3 * 8 * 5
    assert [parse_audit_entry(leaf).seq for leaf in found] == sorted(
        parse_audit_entry(leaf).seq for leaf in found
    )
    assert seen.root == root_of(map(leaf_hash, found))


def test_names_stand_beside_the_log(local: LocalService) -> None:
    """A leaf has a salted hash where a name or words were; people still read the name."""
    with local.store.write() as tx:
        for _ in range(2):
            record(
                tx,
                at=local.now,
                actor="operator:sam@acme.example",
                act="test.said",
                object="R-1",
                detail={"n": 1},
                said={"reason": "Because Ada asked."},
                subject="u_1",
            )
    keep_now(local)
    found = b"".join(all_leaves(local))
    assert b"sam@acme.example" not in found
    assert b"Because" not in found
    with local.store.read() as tx:
        said = entries(tx)[1:]
    assert [one.actor for one in said] == ["operator:sam@acme.example"] * 2
    assert said[0].facts()["reason"] != said[1].facts()["reason"]  # each text has its own salt


def test_a_lost_head_is_not_begun_anew(local: LocalService) -> None:
    """Whoever empties the tables of the tree gets no new tree over what is left."""
    keep_now(local)
    with local.store.write() as tx:
        tx.execute(text("DELETE FROM audit_tree"))
    with pytest.raises(GatekeeperError, match="head") as caught:
        grow(local.store)
    assert caught.value.code == "GK506"


def test_a_leaf_has_one_spelling(local: LocalService) -> None:
    """What is read back is what was written, and no other bytes are."""
    note(local, 1)
    keep_now(local)
    leaf = all_leaves(local)[1]
    assert leaf == (
        b'{"act":"test.done","actor":"d_1","at":1800000000,"detail":{"n":0},"object":"T-0","seq":2,"v":1}'
    )
    assert render_audit_entry(parse_audit_entry(leaf)) == leaf
    for other in (
        leaf + b" ",
        leaf.replace(b'"n":0', b'"n": 0'),
        leaf.replace(b'"v":1', b'"v":2'),
        b"{}",
        b"x",
    ):
        with pytest.raises(Malformed):
            parse_audit_entry(other)
    with local.store.read() as tx:
        assert root_now(tx, tree_of(tx).size) == root_of(map(leaf_hash, all_leaves(local)))
