"""Server nonces and used proofs."""

from __future__ import annotations

import secrets

from hypothesis import given
from hypothesis import strategies as st
from tests.service.local import NOW, LocalService

from gatekeeper.service.oauth.nonces import (
    BUCKET_SECONDS,
    REMEMBER_FOR,
    SECRET_BYTES,
    VALID_FOR,
    is_current,
    load_or_create_secret,
    make_nonce,
    remember_proof,
    sweep_proofs,
)

SECRET = b"s" * SECRET_BYTES
TIMES = st.integers(0, 2**33)


@given(TIMES, st.integers(0, VALID_FOR - BUCKET_SECONDS))
def test_a_nonce_is_current_for_the_best_part_of_an_hour(made_at: int, later: int) -> None:
    """A nonce holds for at least 55 minutes."""
    assert is_current(SECRET, make_nonce(SECRET, now=made_at), now=made_at + later)


@given(TIMES, st.integers(VALID_FOR, 2**33))
def test_a_nonce_ends(made_at: int, later: int) -> None:
    """No nonce holds for longer than an hour."""
    assert not is_current(SECRET, make_nonce(SECRET, now=made_at), now=made_at + later)


@given(st.integers(10_000, 2**33), st.integers(2 * BUCKET_SECONDS, 10_000))
def test_a_nonce_of_the_future_is_not_ours(made_at: int, earlier: int) -> None:
    """A nonce from further ahead than a replica's clock may be is refused, so that no proof outlives its memory."""
    assert not is_current(SECRET, make_nonce(SECRET, now=made_at), now=made_at - earlier)


@given(st.text(max_size=64) | st.binary(max_size=64).map(lambda b: b.hex()))
def test_whatever_else_is_no_nonce(text: str) -> None:
    """Anything that isn't made with the secret is refused, and raises nothing."""
    assert not is_current(SECRET, text, now=NOW)


@given(st.integers(0, 31), st.sampled_from("ABCDwxyz0189-_"))
def test_one_changed_character_is_another_nonce(at: int, character: str) -> None:
    """Any one changed character makes a nonce invalid."""
    nonce = make_nonce(SECRET, now=NOW)
    changed = nonce[:at] + character + nonce[at + 1 :]
    assert is_current(SECRET, changed, now=NOW) == (changed == nonce)


def test_another_services_nonce_is_refused() -> None:
    """A nonce under another secret is refused."""
    assert not is_current(SECRET, make_nonce(b"t" * SECRET_BYTES, now=NOW), now=NOW)


def test_replicas_share_the_first_secret(local: LocalService) -> None:
    """Whoever comes later gets the secret that stands, not its own."""
    with local.store.write() as tx:
        got = load_or_create_secret(tx, candidate=secrets.token_bytes(SECRET_BYTES), now=NOW)
    assert got == local.service.nonce_secret


def test_a_proof_counts_once_a_key(local: LocalService) -> None:
    """A jti is new once for each key, and another key's jti uses up nothing."""
    with local.store.write() as tx:
        assert remember_proof(tx, jkt="a" * 43, jti="1", now=NOW)
        assert not remember_proof(tx, jkt="a" * 43, jti="1", now=NOW + 1)
        assert remember_proof(tx, jkt="b" * 43, jti="1", now=NOW)


@given(st.integers(0, 4 * BUCKET_SECONDS))
def test_a_proof_is_remembered_for_longer_than_its_nonce(offset: int) -> None:
    """Whenever a proof could be accepted again, it is still remembered, a replica's fast clock included."""
    newest = make_nonce(SECRET, now=NOW + BUCKET_SECONDS)
    if is_current(SECRET, newest, now=NOW):
        assert not is_current(SECRET, newest, now=NOW + REMEMBER_FOR + offset)


def test_the_sweep_forgets_only_what_is_over(local: LocalService) -> None:
    """A remembered proof stays until its time is over."""
    with local.store.write() as tx:
        remember_proof(tx, jkt="a" * 43, jti="1", now=NOW)
        assert sweep_proofs(tx, NOW + REMEMBER_FOR - 1) == 0
        assert sweep_proofs(tx, NOW + REMEMBER_FOR) == 1
