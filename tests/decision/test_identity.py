"""Recognition: one alternative must hold whole, and no name or version alone ever suffices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.decision.decide import normalise_pypi, recognise
from gatekeeper.decision.facts import Executable, Recognised
from gatekeeper.decision.obstacles import DigestNeeded, NotRecognised, WrongVersion
from gatekeeper.documents.launch_token import Identity

GOOD, OTHER = "a" * 64, "b" * 64
CLAUDE = Executable(
    found="/usr/bin/claude", path="/opt/claude.exe", npm="@anthropic-ai/claude-code", version="2.1.330"
)
NPM = Identity(npm="@anthropic-ai/claude-code")


def test_the_right_package_is_recognised() -> None:
    """The npm package that the token names is recognised, whatever the executable is called."""
    assert recognise(CLAUDE, (NPM,)) == Recognised(identity=NPM)


def test_no_alternatives_recognise_nothing() -> None:
    """A token without identities, and one whose identity says nothing, recognise nothing."""
    for identities in ((), (Identity(),), (Identity(versions="*"),), (Identity(publisher="Anthropic"),)):
        assert isinstance(recognise(CLAUDE, identities), NotRecognised)


def test_an_executable_without_metadata_is_not_recognised() -> None:
    """A copy elsewhere has no package, so no alternative that names one holds."""
    copy = Executable(found="/home/ada/claude", path="/home/ada/claude")
    for identity in (NPM, Identity(pypi="aider-chat"), Identity(native="claude")):
        assert isinstance(recognise(copy, (identity,)), NotRecognised)


@pytest.mark.parametrize(
    ("executable", "identity"),
    [
        (Executable(found="/a", path="/a", native="claude", version="2.1.3"), Identity(native="claude")),
        (Executable(found="/a", path="/a", pypi="aider_chat", version="0.86.2"), Identity(pypi="Aider.Chat")),
        (
            Executable(found="/a", path="/a", pypi="aider_chat", version="0.86.2.post1"),
            Identity(pypi="aider-chat", versions="~=0.86.2"),
        ),
        (
            Executable(found="/a", path="/a", native="claude", version="2.1.3"),
            Identity(native="claude", versions=">=2.1,<3"),
        ),
    ],
)
def test_each_kind_of_package_has_its_own_ranges(executable: Executable, identity: Identity) -> None:
    """PyPI names compare as the index does and its ranges are PEP 440; native layouts take npm's ranges."""
    assert recognise(executable, (identity,)) == Recognised(identity=identity)


def test_every_field_that_is_set_must_hold() -> None:
    """An alternative that names two kinds of package holds for neither alone."""
    both = NPM.replace(native="claude")
    assert isinstance(recognise(CLAUDE, (both,)), NotRecognised)
    assert isinstance(recognise(CLAUDE.replace(native="claude"), (both,)), Recognised)


def test_a_wrong_version_says_every_range_of_the_package() -> None:
    """The package is right and no range holds: the ranges of all its alternatives are told."""
    identities = (NPM.replace(versions="<2"), NPM.replace(versions=">=3"), Identity(native="claude"))
    assert recognise(CLAUDE, identities) == WrongVersion(version="2.1.330", ranges=("<2", ">=3"))


def test_an_unknown_version_is_in_no_range() -> None:
    """Metadata without a usable version doesn't pass a range."""
    unknown = CLAUDE.replace(version="")
    assert recognise(unknown, (NPM.replace(versions="*"),)) == WrongVersion(version="", ranges=("*",))


def test_an_unreadable_range_recognises_nothing() -> None:
    """A range that can't be read refuses rather than passes."""
    match = recognise(CLAUDE, (NPM.replace(versions="whatever"),))
    assert isinstance(match, NotRecognised)
    assert "range" in match.reason


def test_a_publisher_cannot_be_verified() -> None:
    """A field that nothing checks doesn't hold."""
    match = recognise(CLAUDE, (NPM.replace(publisher="Anthropic"),))
    assert isinstance(match, NotRecognised)
    assert "publisher" in match.reason


def test_a_digest_decides_where_one_is_listed() -> None:
    """Right bytes are recognised, other bytes are not, unknown bytes have to be hashed first."""
    pinned = NPM.replace(sha256=(GOOD,))
    assert recognise(CLAUDE, (pinned,)) == DigestNeeded()
    assert recognise(CLAUDE.replace(sha256=GOOD), (pinned,)) == Recognised(identity=pinned)
    match = recognise(CLAUDE.replace(sha256=OTHER), (pinned,))
    assert isinstance(match, NotRecognised)
    assert "bytes" in match.reason


def test_a_digest_alone_recognises_any_place() -> None:
    """A digest without a package recognises the very bytes wherever they lie."""
    alone = Identity(sha256=(OTHER, GOOD))
    anywhere = Executable(found="/home/ada/probe", path="/home/ada/probe", sha256=GOOD)
    assert recognise(anywhere, (alone,)) == Recognised(identity=alone)
    assert recognise(anywhere.replace(sha256=""), (alone,)) == DigestNeeded()


def test_a_wrong_version_is_not_worth_a_digest() -> None:
    """Nothing is hashed for an alternative that can't hold anyway."""
    pinned = NPM.replace(versions="<2", sha256=(GOOD,))
    assert isinstance(recognise(CLAUDE, (pinned,)), WrongVersion)


def test_the_best_outcome_counts() -> None:
    """Recognised beats a digest that is needed, which beats a wrong version, which beats not recognised."""
    wrong, pinned, other = NPM.replace(versions="<2"), NPM.replace(sha256=(GOOD,)), Identity(native="codex")
    assert isinstance(recognise(CLAUDE, (other, wrong, pinned, NPM)), Recognised)
    assert isinstance(recognise(CLAUDE, (other, wrong, pinned)), DigestNeeded)
    assert isinstance(recognise(CLAUDE, (other, wrong)), WrongVersion)
    assert isinstance(recognise(CLAUDE, (other,)), NotRecognised)


_values = st.sampled_from(["", "one", "two"])
_identities = st.builds(
    Identity,
    npm=_values,
    pypi=_values,
    native=_values,
    versions=st.sampled_from(["", ">=1", ">=3"]),
    sha256=st.sampled_from([(), (GOOD,), (OTHER,)]),
)
_executables = st.builds(
    Executable,
    found=st.just("/a"),
    path=st.just("/a"),
    npm=_values,
    pypi=_values,
    native=_values,
    version=st.sampled_from(["", "2.0.0"]),
    sha256=st.sampled_from(["", GOOD]),
)


@given(executable=_executables, identities=st.lists(_identities, max_size=4), tighter=_identities)
def test_recognition_needs_one_alternative_and_more_conditions_never_help(
    executable: Executable, identities: list[Identity], tighter: Identity
) -> None:
    """Recognised if and only if one alternative alone is; a condition more never makes what failed hold."""
    alone = [isinstance(recognise(executable, (one,)), Recognised) for one in identities]
    assert isinstance(recognise(executable, tuple(identities)), Recognised) is any(alone)
    for one, held in zip(identities, alone, strict=True):
        if one.npm and not held:
            more = one.replace(
                pypi=one.pypi or tighter.pypi,
                native=one.native or tighter.native,
                sha256=one.sha256 or tighter.sha256,
            )
            assert one.versions or not isinstance(recognise(executable, (more,)), Recognised)


@pytest.mark.parametrize("name", ["aider-chat", "Aider_Chat", "aider.chat", "aider-_-chat"])
def test_pypi_names_have_one_form(name: str) -> None:
    """Case and runs of separators don't count (PEP 503)."""
    assert normalise_pypi(name) == "aider-chat"
