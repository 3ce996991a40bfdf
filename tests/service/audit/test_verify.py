"""Whatever is done to a log is found: by the verification of a copy, or with a head that somebody kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update
from tests.service.audit.test_tree import note
from tests.service.audit_parts import keep_now
from tests.service.local import LocalService

from gatekeeper.service.audit.log import record
from gatekeeper.service.audit.verify import Verdict, verify_log
from gatekeeper.service.store.tables.audit import audit_checkpoints, audit_names, audit_tiles
from gatekeeper.trust.merkle import leaf_hash
from gatekeeper.trust.sign import LogKey

if TYPE_CHECKING:
    from sqlalchemy import Connection


def verdict(local: LocalService, **options: object) -> Verdict:
    """Verify the log."""
    with local.store.read() as tx:
        return verify_log(tx, **options)  # type: ignore[arg-type]


def drop_triggers(tx: Connection) -> None:
    """Take the append-only triggers away, as whoever owns the database can."""
    if tx.dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            tx.execute(text(f"DROP TRIGGER audit_entries_no_{act}"))
    else:
        tx.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))


def restore_triggers(tx: Connection) -> None:
    """Cover the tracks."""
    if tx.dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            tx.execute(
                text(
                    f"CREATE TRIGGER audit_entries_no_{act} BEFORE {act} ON audit_entries "
                    "BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END"
                )
            )
    else:
        tx.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))


def attack(local: LocalService, *statements: str) -> None:
    """Change the database behind the service's back, and leave the triggers as they were."""
    with local.store.write() as tx:
        drop_triggers(tx)
        for one in statements:
            tx.execute(text(one))
        restore_triggers(tx)


@pytest.fixture
def filled(local: LocalService) -> LocalService:
    """A service with three hundred entries in its tree, and an early head."""
    keep_now(local)
    note(local, 9)
    local.now += 3600
    keep_now(local)
    note(local, 290)
    local.now += 3600
    keep_now(local)
    return local


def test_an_honest_log_holds(filled: LocalService) -> None:
    """Nothing is found where nothing was done, and what rests on what is told."""
    note(filled, 2)
    seen = verdict(filled, pins=(filled.made.trust_root,))
    assert seen == Verdict(
        entries=300,
        pending=2,
        size=300,
        origin="gatekeeper.acme.example/log/1",
        heads=3,
        root_keys=(filled.made.trust_root,),
        faults=(),
    )


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_entries SET actor = 'd_other' WHERE seq = 40", "entry 39 (seq 40) was edited"),
        ("UPDATE audit_entries SET at = at + 1 WHERE seq = 300", "entry 299 (seq 300) was edited"),
        ("DELETE FROM audit_entries WHERE seq = 40", "entry 39 was dropped"),
        ("DELETE FROM audit_entries WHERE seq > 290", "the last 10 entries are missing"),
    ],
)
def test_a_row_that_was_touched_is_named(filled: LocalService, statement: str, words: str) -> None:
    """Edited, dropped, cut off: found, and where."""
    attack(filled, statement)
    assert any(words in one for one in verdict(filled).faults)


def test_a_row_that_was_slipped_in_is_named(filled: LocalService) -> None:
    """A number that was lost in a rollback takes no row afterwards."""
    attack(filled, "UPDATE audit_entries SET seq = 5000 WHERE seq = 41")
    assert any("was dropped" in one for one in verdict(filled).faults)


def test_triggers_that_are_gone_are_told(filled: LocalService) -> None:
    """Somebody made ready to change something."""
    with filled.store.write() as tx:
        drop_triggers(tx)
    assert any("append-only" in one for one in verdict(filled).faults)


def _rewrite_tiles(local: LocalService) -> None:
    """Make the tree anew over the rows as they are now, as an attacker without the log key would."""
    from gatekeeper.service.audit.tree import append_leaves

    with local.store.write() as tx:
        tx.execute(text("DELETE FROM audit_tiles"))
        tx.execute(text("DELETE FROM audit_bundles"))
        tx.execute(text("UPDATE audit_tree SET size = 0, last_seq = 0"))
        append_leaves(tx)


def test_a_tree_made_anew_contradicts_the_signed_heads(filled: LocalService) -> None:
    """Rows and tiles fit each other again; the signatures don't."""
    attack(filled, "UPDATE audit_entries SET actor = 'd_other' WHERE seq = 8")
    _rewrite_tiles(filled)
    faults = verdict(filled).faults
    assert len(faults) == 2  # the heads after the edited entry; the first one still holds
    assert all("signed for other entries" in one and "after entry 1 " in one for one in faults)


def test_heads_that_somebody_else_signed_are_none(filled: LocalService) -> None:
    """A tree made anew, and its heads signed with another key."""
    from gatekeeper.documents.checkpoint import render_checkpoint

    key = LogKey.generate()
    forged = render_checkpoint(
        origin="gatekeeper.acme.example/log/1", size=300, root=leaf_hash(b""), key=key.public, sign=key.sign
    )
    with filled.store.write() as tx:
        tx.execute(update(audit_checkpoints).where(audit_checkpoints.c.size == 300).values(note=forged))
    assert any("No key of the log" in one for one in verdict(filled).faults)


def test_a_stolen_log_key_is_not_enough_against_a_head_kept_outside(filled: LocalService) -> None:
    """Whoever has the log key and the database can make all of it anew; a head outside shows it."""
    kept = keep_now(filled).note
    attack(filled, "UPDATE audit_entries SET actor = 'd_other' WHERE seq = 8")
    with filled.store.write() as tx:
        tx.execute(text("DELETE FROM audit_checkpoints"))
    _rewrite_tiles(filled)
    keep_now(filled)
    assert verdict(filled).faults == ()
    found = verdict(filled, outside=[kept]).faults
    assert len(found) == 1
    assert "a head kept outside" in found[0]


def test_an_old_copy_put_back_is_found_with_a_head_kept_outside(filled: LocalService) -> None:
    """Cut off cleanly with everything that speaks of it, as an old backup is: shorter than what was seen."""
    kept = keep_now(filled).note
    attack(filled, "DELETE FROM audit_entries WHERE seq > 10")
    with filled.store.write() as tx:
        tx.execute(text("DELETE FROM audit_checkpoints WHERE size > 10"))
    _rewrite_tiles(filled)
    assert verdict(filled).faults == ()
    found = verdict(filled, outside=[kept]).faults
    assert len(found) == 1
    assert "signed for 300 entries and there are 10" in found[0]


def test_another_root_key_is_found_by_the_pin(filled: LocalService) -> None:
    """A whole service made up anew holds in itself; the pin says whose it is."""
    assert verdict(filled).faults == ()
    assert any("root documents" in one for one in verdict(filled, pins=("A" * 43,)).faults)


def test_tiles_that_were_touched_are_found(filled: LocalService) -> None:
    """On every level."""
    for level in (0, 1):
        with filled.store.write() as tx:
            same = (audit_tiles.c.level == level) & (audit_tiles.c.number == 0)
            data = bytes(tx.execute(select(audit_tiles.c.data).where(same)).scalar_one())
            tx.execute(update(audit_tiles).where(same).values(data=b"\x00" * 32 + data[32:]))
        assert verdict(filled).faults
        with filled.store.write() as tx:
            tx.execute(update(audit_tiles).where(same).values(data=data))
    assert verdict(filled).faults == ()


def test_words_that_were_changed_are_found_and_erased_ones_are_not(filled: LocalService) -> None:
    """A text beside the log is held by its hash; without the text, the hash says nothing."""
    with filled.store.write() as tx:
        record(tx, at=1, actor="operator:sam@acme.example", act="test.said", object="", detail={})
    keep_now(filled)
    with filled.store.write() as tx:
        tx.execute(update(audit_names).values(text="eve@acme.example"))
    assert any("was changed" in one for one in verdict(filled).faults)
    with filled.store.write() as tx:
        tx.execute(text("DELETE FROM audit_names"))
    assert verdict(filled).faults == ()


def test_a_lost_index_of_bundles_is_found(filled: LocalService) -> None:
    """What isn't hashed is checked, too."""
    with filled.store.write() as tx:
        tx.execute(text("UPDATE audit_bundles SET first_seq = 9 WHERE number = 1"))
    assert any("bundles" in one for one in verdict(filled).faults)
