"""Terms: what was accepted is a text, by its digest, signed by the device of whoever accepts it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tests.service.access.office import FILES, TERMS, Office
from tests.service.store.parts import code_of

from gatekeeper.service.access.standing import Active, TermsNeeded
from gatekeeper.service.access.terms import accept_shown, accept_signed, has_accepted
from gatekeeper.service.people.devices import Device, enrol
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.trust.sign import SigningKey
from gatekeeper.trust.statement import make_statement

SHA256 = hashlib.sha256(TERMS.encode()).hexdigest()
KEY = SigningKey.generate()
ISSUER = "https://gatekeeper.acme.example"


def _device(office: Office) -> Device:
    with office.store.write() as tx:
        return enrol(tx, subject=office.people["ada"], name="laptop", jkt=KEY.kid, now=office.now)


def _statement(office: Office, *, typ: str = "gk-terms+jwt", key: SigningKey = KEY, **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "sub": office.people["ada"].id,
        "tool": "termed",
        "version": 1,
        "sha256": SHA256,
        "iat": office.now,
    } | changes
    return make_statement(key, typ=typ, claims=claims)


def _accept(office: Office, device: Device, statement: str, *, tool: str = "termed") -> None:
    with office.store.write() as tx:
        accept_signed(
            tx,
            current_policy(tx, now=office.now),
            subject=office.people["ada"],
            device=device,
            word=tool,
            statement=statement,
            issuer=ISSUER,
            now=office.now,
        )


def test_nothing_is_launched_before_the_terms_are_accepted(office: Office) -> None:
    """The grant stands, and waits for it."""
    device = _device(office)
    office.approve(office.ask(tool="termed"))
    assert isinstance(office.stand("ada", "termed"), TermsNeeded)
    _accept(office, device, _statement(office))
    assert isinstance(office.stand("ada", "termed"), Active)
    assert office.acts().count(("terms.accepted", "termed")) == 1
    _accept(office, device, _statement(office))
    assert office.acts().count(("terms.accepted", "termed")) == 1


def test_a_new_text_asks_again(office: Office) -> None:
    """And going back to the earlier one asks nobody who accepted that."""
    device = _device(office)
    office.approve(office.ask(tool="termed"))
    _accept(office, device, _statement(office))
    office.apply(FILES.replace(terms=(("terms/termed.md", TERMS + "And no secrets.\n"),)))
    assert isinstance(office.stand("ada", "termed"), TermsNeeded)
    assert code_of(lambda: _accept(office, device, _statement(office))) == "GK406"
    office.apply(FILES)
    assert isinstance(office.stand("ada", "termed"), Active)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "u_x"}, "GK406"),
        ({"iss": "https://other.example"}, "GK406"),
        ({"tool": "probe"}, "GK406"),
        ({"sha256": "0" * 64}, "GK406"),
        ({"iat": 1_700_000_000}, "GK406"),
        ({"typ": "dpop+jwt"}, "GK604"),
        ({"key": SigningKey.generate()}, "GK604"),
        ({"version": "1"}, "GK604"),
    ],
)
def test_what_is_no_acceptance(office: Office, changes: dict[str, Any], code: str) -> None:
    """Another's, another tool's, another text's, an old one, one by another key: nothing is kept."""
    device = _device(office)
    assert code_of(lambda: _accept(office, device, _statement(office, **changes))) == code
    with office.store.read() as tx:
        tool = current_policy(tx, now=office.now).tool_of_id("termed")
        assert tool is not None
        assert not has_accepted(tx, subject=office.people["ada"].id, tool=tool)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_statement_is_refused(office: Office, place: int) -> None:
    """Whichever segment was changed."""
    device = _device(office)
    segments = _statement(office).split(".")
    segments[place] = ("A" if segments[place][0] != "A" else "B") + segments[place][1:]
    assert code_of(lambda: _accept(office, device, ".".join(segments))) == "GK604"


def test_a_tool_without_terms(office: Office) -> None:
    """Has nothing to accept."""
    device = _device(office)
    assert code_of(lambda: _accept(office, device, _statement(office), tool="probe")) == "GK409"
    assert code_of(lambda: _accept(office, device, _statement(office), tool="nothing")) == "GK302"


def test_accepting_on_a_page(office: Office) -> None:
    """Only the text that was shown."""
    with office.store.write() as tx:
        policy = current_policy(tx, now=office.now)
        ada = office.people["ada"]
        assert (
            code_of(
                lambda: accept_shown(tx, policy, subject=ada, word="termed", sha256="0" * 64, now=office.now)
            )
            == "GK406"
        )
        accept_shown(tx, policy, subject=ada, word="termed", sha256=SHA256, now=office.now)
    office.approve(office.ask(tool="termed"))
    assert isinstance(office.stand("ada", "termed"), Active)


def test_for_a_workload_counts_who_asked(office: Office) -> None:
    """A job accepts nothing."""
    with office.store.write() as tx:
        office.people["job"] = ensure_subject(tx, "ci:acme/web", kind="workload", now=office.now)
    office.approve(office.ask(tool="termed", workload="ci:acme/web"))
    assert isinstance(office.stand("job", "termed"), TermsNeeded)
    _accept(office, _device(office), _statement(office))
    assert isinstance(office.stand("job", "termed"), Active)
