"""Invitations, devices, refresh and access tokens: bound to one key, limited in time, stored as digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from tests.service.store.parts import DAY, NOW, at_once, code_of, new_store

from gatekeeper.service.people.devices import (
    Device,
    device_of_key,
    devices_of,
    enrol,
    get_device,
    revoke_device,
    touch_device,
)
from gatekeeper.service.people.invites import _digest, create_invite, redeem_invite, sweep_invites
from gatekeeper.service.people.sessions import (
    ACCESS_FOR,
    REFRESH_FOR,
    REFRESH_IDLE_FOR,
    WrongKey,
    issue_access,
    issue_refresh,
    revoke_token,
    sweep_tokens,
    use_access,
    use_refresh,
)
from gatekeeper.service.people.subjects import Subject, ensure_subject
from gatekeeper.service.store.schema import metadata
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.tables.people import access_tokens, invites, refresh_tokens, subjects
from gatekeeper.service.store.transactions import Store

JKT = "A" * 43
OTHER = "B" * 43


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ada(store: Store) -> Subject:
    """A subject."""
    with store.write() as tx:
        return ensure_subject(tx, "ada@acme.example", now=NOW)


@pytest.fixture
def device(store: Store, ada: Subject) -> Device:
    """Ada's device."""
    with store.write() as tx:
        return enrol(tx, subject=ada, name="laptop", jkt=JKT, now=NOW)


def _invite(store: Store, subject: Subject) -> str:
    with store.write() as tx:
        return create_invite(tx, subject=subject, expires_at=NOW + DAY, now=NOW)


def _redeem(store: Store, code: str, *, jkt: str = JKT, name: str = "laptop", now: int = NOW) -> Device:
    with store.write() as tx:
        return redeem_invite(tx, code=code, jkt=jkt, device_name=name, now=now)


def test_a_code_has_eighty_bits_and_is_not_stored(store: Store, ada: Subject) -> None:
    """Four groups of four letters that can be read aloud; the database holds nothing that could be typed."""
    codes = {_invite(store, ada) for _ in range(20)}
    assert len(codes) == 20
    with store.read() as tx:
        stored = repr([tx.execute(select(table)).all() for table in metadata.sorted_tables])
    for code in codes:
        assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_a_code_enrols_one_device_once(store: Store, ada: Subject) -> None:
    """The device is the subject's; another key gets nothing with the same code."""
    code = _invite(store, ada)
    device = _redeem(store, code)
    assert (device.subject, device.jkt, device.name, device.state) == (ada.id, JKT, "laptop", "active")
    assert code_of(lambda: _redeem(store, code, jkt=OTHER)) == "GK203"
    with store.read() as tx:
        assert devices_of(tx, ada.id) == [device]


@pytest.mark.parametrize(("later", "code"), [(0, ""), (600, ""), (601, "GK203")])
def test_a_lost_answer_can_be_asked_for_again(store: Store, ada: Subject, later: int, code: str) -> None:
    """The same key gets the same device for ten minutes, and no second one ever."""
    invite = _invite(store, ada)
    device = _redeem(store, invite)
    assert code_of(lambda: _redeem(store, invite, now=NOW + later)) == code
    with store.read() as tx:
        assert devices_of(tx, ada.id) == [device]


@pytest.mark.parametrize(
    ("at", "code"), [(NOW + DAY - 1, ""), (NOW + DAY, "GK203"), (NOW + 2 * DAY, "GK203")]
)
def test_a_code_expires(store: Store, ada: Subject, at: int, code: str) -> None:
    """At the second that was announced."""
    invite = _invite(store, ada)
    assert code_of(lambda: _redeem(store, invite, now=at)) == code


@given(st.text(max_size=40))
def test_a_guess_gets_the_same_words_as_a_used_code(guess: str) -> None:
    """However it is spelt, a wrong code is digested and never breaks anything."""
    assert re.fullmatch("[0-9a-f]{64}", _digest(guess))


@pytest.mark.parametrize("guess", ["", "0000-0000-0000-0000", "\ud800", "x" * 100_000, "' OR 1=1 --"])
def test_a_guessed_code_is_refused(store: Store, ada: Subject, guess: str) -> None:
    """Nothing tells it from a used one."""
    code = _invite(store, ada)
    _redeem(store, code)
    with pytest.raises(Exception, match=r"GK203: The code is used, expired or wrong\.") as wrong:
        _redeem(store, guess, jkt=OTHER)
    with pytest.raises(Exception, match="GK203") as used:
        _redeem(store, code, jkt=OTHER)
    assert str(wrong.value) == str(used.value)


@pytest.mark.parametrize(
    "typed", [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c.replace('-', ' ')}\n"]
)
def test_a_code_may_be_typed_as_people_type(store: Store, ada: Subject, typed: object) -> None:
    """Case, dashes and spaces don't matter."""
    assert callable(typed)
    assert _redeem(store, str(typed(_invite(store, ada)))).subject == ada.id


def test_letters_that_look_like_digits_are_digits() -> None:
    """O is 0, I and L are 1."""
    assert _digest("O0IL-il01") == _digest("00111101")


def test_a_refused_redemption_leaves_the_code(store: Store, ada: Subject) -> None:
    """A device name that can't be one costs a message, not the code."""
    code = _invite(store, ada)
    assert code_of(lambda: _redeem(store, code, name="a\x1b[2Jb")) == "GK100"
    assert _redeem(store, code).subject == ada.id


def test_one_code_at_once_makes_one_device(store: Store, ada: Subject) -> None:
    """Of several keys that come together, one gets in."""
    code = _invite(store, ada)
    keys = [f"{n}" * 43 for n in range(4)]
    outcomes = at_once(*(partial(_redeem, store, code, jkt=key) for key in keys))
    assert sum(isinstance(outcome, Device) for outcome in outcomes) == 1
    with store.read() as tx:
        assert len(devices_of(tx, ada.id)) == 1


def test_a_key_never_changes_hands(store: Store, device: Device) -> None:
    """A code for Sam doesn't make Ada's device Sam's."""
    with store.write() as tx:
        sam = ensure_subject(tx, "sam@acme.example", now=NOW)
    code = _invite(store, sam)
    assert code_of(lambda: _redeem(store, code)) == "GK203"
    with store.read() as tx:
        assert device_of_key(tx, JKT) == device


def test_the_same_key_may_sign_in_anew(store: Store, ada: Subject, device: Device) -> None:
    """A new code for the same person gives the same device, under its new name."""
    again = _redeem(store, _invite(store, ada), name="tower")
    assert (again.id, again.name) == (device.id, "tower")


def test_a_revoked_key_stays_out(store: Store, ada: Subject, device: Device) -> None:
    """Neither a new code nor a repeated one enrols it again."""
    code = _invite(store, ada)
    _redeem(store, code)
    with store.write() as tx:
        assert revoke_device(tx, device.id, by="sam@acme.example", now=NOW) is True
        assert revoke_device(tx, device.id, by="sam@acme.example", now=NOW) is False
    assert code_of(lambda: _redeem(store, code)) == "GK203"
    assert code_of(lambda: _redeem(store, _invite(store, ada))) == "GK202"


def test_a_deactivated_subject_gets_in_nowhere(store: Store, ada: Subject, device: Device) -> None:
    """Codes, refresh and access tokens end with the subject."""
    code = _invite(store, ada)
    with store.write() as tx:
        refresh, access = issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW)
        tx.execute(update(subjects).values(state="deactivated"))
    assert code_of(lambda: _redeem(store, code, jkt=OTHER)) == "GK203"
    with store.write() as tx:
        assert code_of(lambda: use_refresh(tx, refresh, jkt=JKT, now=NOW)) == "GK201"
        assert code_of(lambda: use_access(tx, access, jkt=JKT, now=NOW)) == "GK201"


def test_old_codes_are_forgotten(store: Store, ada: Subject) -> None:
    """Thirty days after their end."""
    _invite(store, ada)
    with store.write() as tx:
        assert sweep_invites(tx, NOW + 31 * DAY - 1) == 0
        assert sweep_invites(tx, NOW + 31 * DAY) == 1
        assert tx.execute(select(invites)).all() == []


def test_a_refresh_token_signs_its_device_in(store: Store, device: Device) -> None:
    """As often as needed: it isn't rotated."""
    with store.write() as tx:
        token = issue_refresh(tx, device=device, now=NOW)
        assert use_refresh(tx, token, jkt=JKT, now=NOW)[1].id == device.id
        assert use_refresh(tx, token, jkt=JKT, now=NOW + 5)[1].id == device.id


@pytest.mark.parametrize(
    ("uses", "at", "code"),
    [
        ([], REFRESH_IDLE_FOR - 1, ""),
        ([], REFRESH_IDLE_FOR, "GK201"),
        ([10 * DAY], 20 * DAY, ""),
        ([10 * DAY], 24 * DAY, "GK201"),
        ([day * DAY for day in range(10, 90, 10)], REFRESH_FOR - 1, ""),
        ([day * DAY for day in range(10, 90, 10)], REFRESH_FOR, "GK201"),
    ],
)
def test_a_refresh_token_ends(store: Store, device: Device, uses: list[int], at: int, code: str) -> None:
    """Fourteen days after its last use, and ninety after it was made whatever its use."""
    with store.write() as tx:
        token = issue_refresh(tx, device=device, now=NOW)
        for use in uses:
            use_refresh(tx, token, jkt=JKT, now=NOW + use)
        assert code_of(lambda: use_refresh(tx, token, jkt=JKT, now=NOW + at)) == code


def test_a_clock_that_turns_back_extends_nothing(store: Store, device: Device) -> None:
    """The last use never moves into the past, so turning the clock back and forth ends nothing early or late."""
    with store.write() as tx:
        token = issue_refresh(tx, device=device, now=NOW)
        use_refresh(tx, token, jkt=JKT, now=NOW + DAY)
        use_refresh(tx, token, jkt=JKT, now=NOW - DAY)
        used_at = tx.execute(select(refresh_tokens.c.used_at)).scalar_one()
    assert used_at == NOW + DAY


def test_another_key_gets_nothing_and_is_named(store: Store, device: Device) -> None:
    """A stolen token is refused as signed out; the device is known, for the audit log."""
    with store.write() as tx:
        refresh, access = issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW)
        with pytest.raises(WrongKey) as caught:
            use_refresh(tx, refresh, jkt=OTHER, now=NOW)
        assert (caught.value.code, caught.value.device) == ("GK201", device.id)
        assert device.id not in str(caught.value)
        assert caught.value.facts == {}
        with pytest.raises(WrongKey):
            use_access(tx, access, jkt=OTHER, now=NOW)


@pytest.mark.parametrize("token", ["", "gkr_x", "\ud800", "x" * 100_000])
def test_an_unknown_token_is_signed_out(store: Store, device: Device, token: str) -> None:
    """Whatever it is."""
    with store.write() as tx:
        assert code_of(lambda: use_refresh(tx, token, jkt=JKT, now=NOW)) == "GK201"
        assert code_of(lambda: use_access(tx, token, jkt=JKT, now=NOW)) == "GK201"
        revoke_token(tx, token, jkt=JKT, now=NOW)  # RFC 7009 §2.2: no error


def test_the_two_kinds_don_t_stand_for_each_other(store: Store, device: Device) -> None:
    """An access token refreshes nothing, and a refresh token calls nothing."""
    with store.write() as tx:
        refresh, access = issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW)
        assert code_of(lambda: use_refresh(tx, access, jkt=JKT, now=NOW)) == "GK201"
        assert code_of(lambda: use_access(tx, refresh, jkt=JKT, now=NOW)) == "GK201"


def test_tokens_are_stored_as_digests(store: Store, device: Device) -> None:
    """Whoever reads the database can't call as anybody."""
    with store.write() as tx:
        tokens = [issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW)]
        stored = repr([tx.execute(select(table)).all() for table in (refresh_tokens, access_tokens)])
    for token in tokens:
        assert len(token) >= 43
        assert token not in stored
        assert token[4:] not in stored


@pytest.mark.parametrize(("at", "code"), [(ACCESS_FOR - 1, ""), (ACCESS_FOR, "GK201")])
def test_an_access_token_lasts_ten_minutes(
    store: Store, ada: Subject, device: Device, at: int, code: str
) -> None:
    """And says who calls, from which device."""
    with store.write() as tx:
        token = issue_access(tx, device=device, now=NOW)
        assert use_access(tx, token, jkt=JKT, now=NOW) == (ada, device)
        assert code_of(lambda: use_access(tx, token, jkt=JKT, now=NOW + at)) == code


@pytest.mark.parametrize("which", [0, 1])
def test_signing_out_ends_both_kinds(store: Store, device: Device, which: int) -> None:
    """With either token; the device stays enrolled."""
    with store.write() as tx:
        tokens = (issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW))
        revoke_token(tx, tokens[which], jkt=OTHER, now=NOW)
        assert code_of(lambda: use_refresh(tx, tokens[0], jkt=JKT, now=NOW)) == ""
        revoke_token(tx, tokens[which], jkt=JKT, now=NOW)
        assert code_of(lambda: use_refresh(tx, tokens[0], jkt=JKT, now=NOW)) == "GK201"
        assert code_of(lambda: use_access(tx, tokens[1], jkt=JKT, now=NOW)) == "GK201"
        assert get_device(tx, device.id).state == "active"


def test_revoking_a_device_ends_all_that_is_its(store: Store, ada: Subject, device: Device) -> None:
    """Tokens and status entries; another device of the same person goes on."""
    with store.write() as tx:
        other = enrol(tx, subject=ada, name="tower", jkt=OTHER, now=NOW)
        for index, owner in enumerate((device, other)):
            tx.execute(
                insert(status_entries).values(
                    list=0, index=index, device=owner.id, grant=None, tool="llama", last_exp=NOW, status=0
                )
            )
        refresh, access = issue_refresh(tx, device=device, now=NOW), issue_access(tx, device=device, now=NOW)
        others = issue_refresh(tx, device=other, now=NOW)
        revoke_device(tx, device.id, by="ada@acme.example", now=NOW)
        assert code_of(lambda: use_refresh(tx, refresh, jkt=JKT, now=NOW)) == "GK202"
        assert code_of(lambda: use_access(tx, access, jkt=JKT, now=NOW)) == "GK201"
        assert use_refresh(tx, others, jkt=OTHER, now=NOW)[1].id == other.id
        statuses = tx.execute(select(status_entries.c.device, status_entries.c.status)).all()
    assert {tuple(row) for row in statuses} == {(device.id, 1), (other.id, 0)}


def test_a_device_is_seen_no_more_than_once_a_minute(store: Store, device: Device) -> None:
    """A renewal doesn't write what nobody needs."""
    with store.write() as tx:
        touch_device(tx, device, NOW + 59)
        assert get_device(tx, device.id).seen_at == NOW
        touch_device(tx, device, NOW + 61)
        assert get_device(tx, device.id).seen_at == NOW + 61
        touch_device(tx, device, NOW + 60)  # an older reading
        assert get_device(tx, device.id).seen_at == NOW + 61


def test_an_unknown_device_is_a_mistyped_id(store: Store, device: Device) -> None:
    """GK100, whoever's it might be."""
    with store.read() as tx:
        assert code_of(lambda: get_device(tx, "d_nothing")) == "GK100"
        assert device_of_key(tx, OTHER) is None


def test_ended_tokens_are_forgotten(store: Store, device: Device) -> None:
    """Each kind after its own time."""
    with store.write() as tx:
        issue_refresh(tx, device=device, now=NOW)
        issue_access(tx, device=device, now=NOW)
        assert sweep_tokens(tx, NOW + ACCESS_FOR - 1) == 0
        assert sweep_tokens(tx, NOW + ACCESS_FOR) == 1
        assert sweep_tokens(tx, NOW + REFRESH_FOR) == 1
