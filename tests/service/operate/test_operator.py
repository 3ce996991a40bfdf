"""The operator's commands: an invitation and reviews, each one transaction, each recorded as the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.access.parts import ask
from tests.service.store.parts import DAY, NOW, code_of, new_store

from gatekeeper.service.audit.log import entries
from gatekeeper.service.operate import review
from gatekeeper.service.operate.invite import invite
from gatekeeper.service.people.invites import redeem_invite
from gatekeeper.service.people.subjects import find_subject, get_subject
from gatekeeper.service.store.transactions import Store

SAM = "Sam@ACME.example"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    yield store
    store.close()


def _last(store: Store) -> tuple[str, str, str]:
    with store.read() as tx:
        entry = entries(tx)[-1]
    return entry.actor, entry.act, entry.object


def test_an_invitation_makes_its_subject(store: Store) -> None:
    """With its groups; the code signs one device in, and stands in no record."""
    code, expires_at = invite(
        store, "ada@acme.example", groups=["dev"], attributes={"country": "US"}, now=NOW
    )
    assert expires_at == NOW + DAY
    with store.write() as tx:
        device = redeem_invite(tx, code=code, jkt="A" * 43, device_name="laptop", now=NOW)
        subject = get_subject(tx, device.subject)
        assert code not in repr(entries(tx))
    assert (subject.name, subject.groups, subject.attributes) == (
        "ada@acme.example",
        ("dev",),
        (("country", "US"),),
    )
    assert _last(store) == ("operator", "invite.created", subject.id)


def test_a_second_invitation_keeps_what_it_does_not_name(store: Store) -> None:
    """Groups stay; both codes work."""
    invite(store, "ada@acme.example", groups=["dev"], now=NOW)
    invite(store, "ADA@acme.example", now=NOW)
    with store.read() as tx:
        subject = find_subject(tx, "ada@acme.example")
    assert subject is not None
    assert subject.groups == ("dev",)


def test_a_hostile_name_is_not_invited(store: Store) -> None:
    """And nothing is recorded."""
    assert code_of(lambda: invite(store, "ada\x1b[2J@acme.example", now=NOW)) == "GK100"
    assert code_of(lambda: invite(store, "ada@acme.example", groups=["a\nb"], now=NOW)) == "GK100"
    with store.read() as tx:
        assert entries(tx) == []
        assert find_subject(tx, "ada@acme.example") is None


def test_what_waits_is_listed_with_whose_it_is(store: Store) -> None:
    """Until it is decided."""
    request = ask(store)
    (item,) = review.list_pending(store, now=NOW)
    assert (item.request, item.subject.name) == (request, "ada@acme.example")
    review.deny(store, request.id, as_name=SAM, reason="use llama", now=NOW)
    assert review.list_pending(store, now=NOW) == []


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("ada@acme.example\ufe0f", "GK100"),
        ("ada\u3164@acme.example", "GK100"),
        ("ada@acme.example\u2800", "GK100"),
        ("ada@acme\u3002example", "GK405"),
        ("ada@acme.example.", "GK405"),
    ],
)
def test_nobody_approves_their_own_request_under_another_spelling(
    store: Store, spelling: str, code: str
) -> None:
    """Neither an unseen letter nor a dot makes a second person."""
    request = ask(store)
    approve = {"duration": "", "zones": None, "reason": "", "now": NOW}
    assert code_of(lambda: review.approve(store, request.id, as_name=spelling, **approve)) == code  # type: ignore[arg-type]
    (item,) = review.list_pending(store, now=NOW)
    assert item.request == request


def test_a_grant_s_whole_life(store: Store) -> None:
    """Approved, suspended, resumed, revoked, as Sam; the record says that it was the operator's hand."""
    request = ask(store)
    reviewed = review.approve(store, request.id, as_name=SAM, duration="1d", zones=None, reason="", now=NOW)
    approved, (grant,) = reviewed.request, reviewed.grants
    assert (approved.state, approved.decided_by, grant.state) == ("approved", "sam@acme.example", "active")
    for act, state in ((review.suspend, "suspended"), (review.resume, "active"), (review.revoke, "revoked")):
        grant = act(store, grant.id, as_name=SAM, reason="why", now=NOW)
        assert grant.state == state
        actor, _, about = _last(store)
        assert (actor, about) == ("operator:sam@acme.example", "G-1")
    assert (grant.ended_by, grant.ended_reason) == ("sam@acme.example", "why")


def test_nobody_approves_their_own_in_any_spelling(store: Store) -> None:
    """The canonical name decides."""
    request = ask(store)
    for name in ("ada@acme.example", " ADA@acme.example ", "Ada@Acme.Example"):
        assert (
            code_of(
                lambda n=name: review.approve(  # type: ignore[misc]
                    store, request.id, as_name=n, duration="", zones=None, reason="", now=NOW
                )
            )
            == "GK405"
        )


def test_a_review_that_fails_leaves_no_reviewer_behind(store: Store) -> None:
    """A mistyped id makes no subject."""
    assert code_of(lambda: review.deny(store, "R-9", as_name=SAM, reason="no", now=NOW)) == "GK409"
    assert code_of(lambda: review.revoke(store, "G-9", as_name=SAM, reason="", now=NOW)) == "GK409"
    with store.read() as tx:
        assert find_subject(tx, SAM) is None
