"""Subjects: one person, one name, however it is spelt; nothing in a name can mislead a reader."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from tests.service.store.parts import NOW, code_of, new_store

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import canonical_name, check_free_text, check_name, visible_length
from gatekeeper.service.people.subjects import ensure_subject, find_subject, get_subject
from gatekeeper.service.store.transactions import Store

MISLEADING = [
    "a\nb",
    "a\x00b",
    "a\x1b[31mb",
    "a\u202eb",
    "a\u200bb",
    "a\u2028b",
    "a\ud800b",
    "a\x7fb",
    "\ufeffa",
    *(
        f"eve@acme.example{unseen}"
        for unseen in "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\u2800\u3164\ufe00\ufe0f\uffa0\U0001d173\U000e0100"
    ),
]
NO_ADDRESSES = [
    "eve@acme.ex\u00e4mple",
    "eve@\u0430cme.example",  # a Cyrillic letter
    "eve@acme.example\u0301",
    "eve@acme\u00b7example",
    "eve@acme..example",
    "eve@.acme.example",
    "eve@",
    "eve@...",
    "eve@acme.example@",
    "eve @acme.example",
    "eve@acme .example",
    "eve@acme.example\u00a0.",
    "eve\u1680@acme.example",
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    yield store
    store.close()


@given(st.text(max_size=50))
def test_a_canonical_name_is_its_own(text: str) -> None:
    """Making a name canonical twice is making it once, and no case or form of it gives another."""
    try:
        name = canonical_name(text)
    except GatekeeperError:
        event("refused")
        return
    assert canonical_name(name) == name
    assert canonical_name(unicodedata.normalize("NFKC", text)) == name
    assert canonical_name(f"  {name} ") == name


@pytest.mark.parametrize(
    "spelling",
    [
        "Ada@ACME.example",
        " ada@acme.example ",
        "\uff41\uff44\uff41@acme.example",
        "ada@acme.example.",
        "ada@acme.example..\u3002",
        "ada@acme\u3002example",
        "ada@acme\uff61example\uff61",
        "ada\ufe6bacme\uff0eexample",
    ],
)
def test_every_spelling_is_one_subject(store: Store, spelling: str) -> None:
    """Case, surrounding space and width make no second person, or one could approve oneself."""
    with store.write() as tx:
        first = ensure_subject(tx, "ada@acme.example", now=NOW)
        assert ensure_subject(tx, spelling, now=NOW) == first
        assert find_subject(tx, spelling) == first


@pytest.mark.parametrize("text", ["", "   ", "x" * 301, *MISLEADING])
def test_what_misleads_is_no_name(text: str) -> None:
    """Empty, endless, control, invisible and direction-turning characters are refused, never cleaned away."""
    assert code_of(lambda: canonical_name(text)) == "GK100"
    assert code_of(lambda: check_name(text, what="device name", max_chars=128)) == "GK100"


def test_markup_may_stand_in_a_name() -> None:
    """Escaping is for whoever renders it; a name isn't rewritten."""
    assert check_name('<b>"x" [red]', what="device name", max_chars=128) == '<b>"x" [red]'


@pytest.mark.parametrize("name", NO_ADDRESSES)
def test_a_name_with_an_at_sign_is_a_mail_address(name: str) -> None:
    """Its domain is ASCII and it holds no space: what looks like another's address, or reaches it, is refused."""
    assert code_of(lambda: canonical_name(name)) == "GK100"


@given(st.text("aA@.\u3002\uff61\uff0e\uff20\u2024 \u00a0\u3000\ufe0f\u115f\u200b", max_size=12))
def test_no_unseen_letter_or_final_dot_makes_another_name(text: str) -> None:
    """A canonical name holds no invisible letter, no run of spaces, and no other dot than the one dot."""
    try:
        name = canonical_name(text)
    except GatekeeperError:
        event("refused")
        return
    assert set(name) <= set("a@. ")
    assert "  " not in name
    assert "@" not in name or not name.endswith(".")
    assert canonical_name(name) == name


def test_the_end_of_a_long_name_is_not_cut_off() -> None:
    """A name is refused where it is too long, never shortened to somebody else's."""
    assert code_of(lambda: canonical_name("eve@acme.example" + " " * 2000 + "x")) == "GK100"


def test_free_text_is_kept_as_it_is() -> None:
    """Reasons may hold anything that is text, up to 4000 characters."""
    text = "a\x1b[31m<script>\n\u202e"
    assert check_free_text(text, what="reason") is text
    assert code_of(lambda: check_free_text("x" * 4001, what="reason")) == "GK410"
    assert code_of(lambda: check_free_text("a\0b", what="reason")) == "GK100"
    assert code_of(lambda: check_free_text("a\ud800b", what="reason")) == "GK100"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        (" a  b\n\nc ", 5),
        ("\u200b" * 40, 0),
        ("\ufe0f\u115f\u2800" * 9, 0),
        (" \t\n" * 40, 0),
        ("äö", 2),
    ],
)
def test_only_what_is_seen_counts(text: str, length: int) -> None:
    """A reason isn't made longer by what nobody can read."""
    assert visible_length(text) == length


def test_what_is_given_replaces_and_what_is_not_stays(store: Store) -> None:
    """Groups and attributes are those of the last invitation that named any."""
    with store.write() as tx:
        made = ensure_subject(
            tx,
            "ada@acme.example",
            display="Ada",
            groups=["dev", "dev"],
            attributes={"country": "US"},
            now=NOW,
        )
        assert (made.display, made.groups, made.attributes) == ("Ada", ("dev",), (("country", "US"),))
        assert made.active is True
        assert ensure_subject(tx, "ada@acme.example", now=NOW) == made
        moved = ensure_subject(tx, "ada@acme.example", groups=[], now=NOW)
        assert (moved.id, moved.groups, moved.attributes) == (made.id, (), (("country", "US"),))
        assert get_subject(tx, made.id) == moved


@pytest.mark.parametrize(
    "given", [{"groups": ["a\nb"]}, {"groups": [""]}, {"attributes": {"": "x"}}, {"display": "a\x1bb"}]
)
def test_hostile_groups_and_attributes_are_refused(store: Store, given: dict[str, object]) -> None:
    """They stand in policy and in messages."""
    with store.write() as tx:
        assert code_of(lambda: ensure_subject(tx, "ada@acme.example", now=NOW, **given)) == "GK100"  # type: ignore[arg-type]


def test_an_id_says_nothing(store: Store) -> None:
    """The opaque id has nothing of the name in it, and an unknown one is a bug of ours."""
    with store.write() as tx:
        subject = ensure_subject(tx, "ada@acme.example", now=NOW)
        assert subject.id.startswith("u_")
        assert set(subject.id[2:]) <= set("0123456789abcdef")
        with pytest.raises(RuntimeError):
            get_subject(tx, "u_nobody")
