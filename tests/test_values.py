"""The base of every warm value: fields, defaults, equality, immutability, and misuse that is loud."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import values
from gatekeeper.values import Value


class Pattern(Value):
    """A value with a default."""

    text: str
    rule: str = "none"


class Same(Value):
    """The fields of Pattern under another name."""

    text: str
    rule: str = "none"


class Longer(Pattern):
    """Fields of its own after inherited ones."""

    weight: int
    note: str = ""


class Changed(Pattern):
    """An inherited field with another default."""

    rule: str = "other"


class Marked(Pattern):
    """No field of its own: a type alone."""


@given(st.text(), st.text())
def test_equality_is_type_and_content(text: str, rule: str) -> None:
    """Equal content is equal and hashes alike; another type with the same content is another value."""
    one = Pattern(text=text, rule=rule)
    assert one == Pattern(rule=rule, text=text)
    assert hash(one) == hash(Pattern(text=text, rule=rule))
    assert one != Pattern(text=text + "x", rule=rule)
    assert one != Pattern(text=text, rule=rule + "x")
    assert one != Same(text=text, rule=rule)
    assert one != Marked(text=text, rule=rule)
    assert one != (text, rule)


@given(st.text(), st.text())
def test_replace_changes_what_it_names_and_only_that(text: str, rule: str) -> None:
    """The original stays as it was, and the copy has the same type."""
    one = Marked(text=text, rule=rule)
    other = one.replace(text="new")
    assert (other.text, other.rule, type(other)) == ("new", rule, Marked)
    assert one == Marked(text=text, rule=rule)
    assert one.replace() == one


def test_defaults_stand_in_for_what_is_not_given() -> None:
    """A field with a default may be left out, inherited or own."""
    assert Pattern(text="a").rule == "none"
    assert (Longer(text="a", weight=1).rule, Longer(text="a", weight=1).note) == ("none", "")
    assert Longer(text="a", weight=1, rule="r", note="n").replace(weight=2).note == "n"


def test_a_field_named_again_changes_its_default_alone() -> None:
    """What is given counts, not the new default; and there is still one such field."""
    assert Changed(text="a").rule == "other"
    assert Changed(text="a", rule="given").rule == "given"
    assert repr(Changed(text="a")) == "Changed(text='a', rule='other')"
    assert Pattern(text="a").rule == "none"


@pytest.mark.parametrize("given_", [{}, {"rule": "r"}, {"text": "a", "other": 1}, {"text": "a", "Text": "b"}])
def test_missing_and_unknown_fields_are_misuse(given_: dict[str, str]) -> None:
    """Construction names the field, and `replace` does the same."""
    with pytest.raises(TypeError, match="Pattern"):
        Pattern(**given_)
    with pytest.raises(TypeError, match="other"):
        Pattern(text="a").replace(other=1)


def test_construction_is_by_keyword_only() -> None:
    """Positions would let two texts change places unseen."""
    with pytest.raises(TypeError):
        Pattern("a", "b")  # type: ignore[call-arg]


def test_nothing_can_be_assigned_or_deleted() -> None:
    """Not a field, not a new name; and there is no dictionary to go around it."""
    one = Pattern(text="a")
    for name in ("text", "rule", "new"):
        with pytest.raises(AttributeError):
            setattr(one, name, "b")
        with pytest.raises(AttributeError):
            delattr(one, name)
    assert not hasattr(one, "__dict__")
    assert not hasattr(Marked(text="a"), "__dict__")
    assert one == Pattern(text="a")


def test_repr_shows_every_field_in_order() -> None:
    """Inherited fields first."""
    assert repr(Longer(text="a", weight=2)) == "Longer(text='a', rule='none', weight=2, note='')"


def test_values_import_nothing() -> None:
    """A launch loads this module always, so it costs no other."""
    source = Path(values.__file__).resolve().parents[1]
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import gatekeeper.codes;"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(source)], capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) == {"__future__", "gatekeeper", "gatekeeper.codes", "gatekeeper.values"}
