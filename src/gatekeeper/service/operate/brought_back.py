"""What a database that was brought back from a backup must forget before it serves again.

What was ended or used up since the backup stands there as it was: a session that somebody signed out of, a code that
was redeemed, a proof that was seen. All of it lives for minutes or hours, and nobody can say any more which of it was
over. So none of it outlives the restore: people sign in at the console anew, and get a new one-time code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from gatekeeper.service.oauth.nonces import SECRET_NAME
from gatekeeper.service.store.tables.console import challenges
from gatekeeper.service.store.tables.oauth import shared_secrets
from gatekeeper.service.store.tables.people import invites
from gatekeeper.service.store.tables.sign_ins import (
    authorizations,
    console_sessions,
    device_authorizations,
    provider_sign_ins,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection


def forget_what_may_be_over(tx: Connection) -> None:
    """Forget sessions, sign-ins under way, lists to confirm, unused codes, and the key of all nonces.

    The next service that starts makes another key, so a proof that was seen after the backup has a nonce of nobody's.
    """
    # An authorization names its session, so it goes first.
    for table in (authorizations, device_authorizations, provider_sign_ins, challenges, console_sessions):
        tx.execute(delete(table))
    tx.execute(delete(invites).where(invites.c.redeemed_at.is_(None)))
    tx.execute(delete(shared_secrets).where(shared_secrets.c.name == SECRET_NAME))
