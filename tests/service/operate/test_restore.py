"""A restore: what was ended or used up after the backup doesn't live again."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Table, insert, select
from tests.service.local import ISSUER, NOW, LocalService

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.oauth.nonces import is_current, load_or_create_secret, make_nonce
from gatekeeper.service.operate.backup import backup
from gatekeeper.service.operate.invite import invite
from gatekeeper.service.operate.restore import restore
from gatekeeper.service.operate.root import reissue_root
from gatekeeper.service.people.authorizations import Wish, allow, ask_for_device, decide_asked
from gatekeeper.service.people.challenges import STEP_UP, make_challenge
from gatekeeper.service.people.console_sessions import end_session, find_session, start_session
from gatekeeper.service.people.invites import redeem_invite
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.settings import load_settings
from gatekeeper.service.store.tables.console import challenges
from gatekeeper.service.store.tables.people import invites
from gatekeeper.service.store.tables.sign_ins import (
    authorizations,
    console_sessions,
    device_authorizations,
    provider_sign_ins,
)
from gatekeeper.service.store.transactions import Store, open_store

PASSING = (console_sessions, authorizations, device_authorizations, provider_sign_ins, challenges)


class Before:
    """A service in which everything that passes is under way, and what of it somebody could keep."""

    def __init__(self, local: LocalService) -> None:
        self.used = invite(local.store, "sam@acme.example", now=NOW)[0]
        self.kept = invite(local.store, "ada@acme.example", now=NOW)[0]
        with local.store.write() as tx:
            any_bytes = random.Random(7).randbytes  # noqa: S311 - reproducible on purpose
            redeem_invite(tx, code=self.used, device_name="laptop", jkt="s" * 43, now=NOW)
            ada = ensure_subject(tx, "ada@acme.example", now=NOW)
            self.cookie, session = start_session(
                tx,
                subject=ada,
                method="invite",
                auth_time=NOW,
                provider_sid="",
                now=NOW,
                random_bytes=any_bytes,
            )
            wish = Wish(
                redirect_uri=f"{ISSUER}/oauth/code", challenge="c" * 43, jkt="j" * 43, device_name="laptop"
            )
            allow(tx, wish, session=session, now=NOW)
            self.typed = ask_for_device(tx, jkt="k" * 43, device_name="box", address="192.0.2.7", now=NOW)[1]
            make_challenge(
                tx,
                session=session.id,
                subject=ada.id,
                purpose=STEP_UP,
                items=[{}],
                random_bytes=any_bytes,
                now=NOW,
            )
            row = {"state_hash": "0" * 64, "browser_hash": "1" * 64, "next": "/", "max_age": None}
            tx.execute(insert(provider_sign_ins).values(**row, created_at=NOW, expires_at=NOW + 600))
            self.nonce = make_nonce(load_or_create_secret(tx, candidate=b"", now=NOW), now=NOW)

    def check_over(self, store: Store) -> None:
        """Nothing of it counts any more; what was used up stays known as used."""
        with store.write() as tx:
            fresh = load_or_create_secret(tx, candidate=b"n" * 32, now=NOW)
            assert not is_current(fresh, self.nonce, now=NOW)
            for table in PASSING:
                assert not tx.execute(select(table)).all(), table.name
            assert [row.redeemed_at for row in tx.execute(select(invites))] == [NOW]
            attempts: tuple[Callable[[], object], ...] = (
                lambda: find_session(tx, self.cookie, now=NOW),
                lambda: redeem_invite(tx, code=self.kept, device_name="box", jkt="t" * 43, now=NOW),
                lambda: decide_asked(
                    tx, self.typed, subject=ensure_subject(tx, "x", now=NOW), allowed=True, now=NOW
                ),
            )
            for attempt in attempts:
                with pytest.raises(GatekeeperError):
                    attempt()


def _count(store: Store, table: Table) -> int:
    with store.read() as tx:
        return len(tx.execute(select(table)).all())


@pytest.mark.sqlite
def test_what_ended_since_the_backup_stays_over(local: LocalService, tmp_path: Path) -> None:
    """The session was signed out of, the codes were used: with the backup they don't come back."""
    before = Before(local)
    assert all(_count(local.store, table) for table in PASSING)
    file = tmp_path / "backup.tar"
    backup(local.store, load_settings(local.data), file, with_keys=False, now=NOW)
    with local.store.write() as tx:
        end_session(tx, before.cookie, NOW)
        redeem_invite(tx, code=before.kept, device_name="laptop", jkt="a" * 43, now=NOW)
    local.close()
    restore(file, local.data, issuer=ISSUER, root_key_path=None, now=NOW)
    restored = open_store(f"sqlite:///{local.data / 'gatekeeper.db'}")
    try:
        before.check_over(restored)
    finally:
        restored.close()


def test_a_database_brought_back_otherwise_forgets_the_same(local: LocalService) -> None:
    """`keys reissue-root --new-log`, for what PostgreSQL's own tools restored; without --new-log nobody is signed out."""
    before = Before(local)
    reissue_root(local.store, local.data, issuer=ISSUER, root_key_path=None, now=NOW)
    assert all(_count(local.store, table) for table in PASSING)
    reissue_root(local.store, local.data, issuer=ISSUER, root_key_path=None, new_log_origin=True, now=NOW)
    before.check_over(local.store)
