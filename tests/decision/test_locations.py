"""Canonical remotes, patterns, and the first reason to refuse: no second spelling hides a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.decision.locations import canonical_remote, exclusion_for, matches
from gatekeeper.decision.obstacles import NoRepository, Repository, UnreadableRepository
from gatekeeper.documents.launch_token import Exclusion

if TYPE_CHECKING:
    from gatekeeper.decision.obstacles import Location

SPELLINGS = [
    "https://github.com/acme/llama-1",
    "https://github.com/acme/llama-1.git",
    "https://github.com/acme/llama-1.git/",
    "https://github.com/acme/llama-1/",
    "https://GitHub.com/acme/llama-1",
    "https://github.com./acme/llama-1",
    "https://github.com:443/acme/llama-1.git",
    "https://github.com:/acme/llama-1",
    "https://ada:secret@github.com/acme/llama-1",
    "https://evil.example@github.com/acme/llama-1",
    "https://github.com//acme//llama-1",
    "https://github.com/acme/%6clama-1",
    "https://github.com/acme/%6Clama%2D1.git",
    "https://www.github.com/acme/llama-1",
    "HTTPS://github.com/acme/llama-1",
    "http://github.com/acme/llama-1",
    "git://github.com/acme/llama-1.git",
    "ssh://git@github.com/acme/llama-1.git",
    "ssh://git@github.com:22/acme/llama-1.git",
    "ssh://git@ssh.github.com:443/acme/llama-1.git",
    "git+ssh://git@github.com/acme/llama-1",
    "ssh+git://git@github.com/acme/llama-1",
    "git@github.com:acme/llama-1.git",
    "git@github.com:/acme/llama-1.git",
    "git@github.com:acme/llama-1.GIT",
    "github.com:acme/llama-1",
    "GITHUB.COM:acme/llama-1/",
]
UNCANONICAL = [
    "",
    ".",
    "../llama-1",
    "/srv/git/llama-1.git",
    "./github.com:acme/llama-1",
    "file:///srv/git/llama-1.git",
    "ext::sh -c 'nc acme.example 1'",
    "transport::https://github.com/acme/llama-1",
    "helper::github.com/acme/llama-1",
    "rsync://github.com/acme/llama-1",
    "https://github.com",
    "https://github.com/",
    "https:///acme/llama-1",
    "https://github.com/.git",
    "git@github.com:acme/llama-1/.git",
    "https://github.com/acme/../acme/llama-1",
    "https://github.com/acme/./llama-1",
    "https://github.com/acme/%2e%2e/llama-1",
    "https://github.com/acme%2Fllama-1",
    "https://github.com/acme/%256clama-1",
    "https://github.com/acme/llama-1%",
    "https://github.com/acme/llama-1%zz",
    "https://github.com/acme/llama-1%ff",
    "https://github.com/acme/llama-1%0a",
    "https://github.com/acme/llama-1%5c",
    "https://github.com/acme/llama-1?x=1",
    "https://github.com/acme/llama-1#x",
    "https://github.com\\acme/llama-1",
    "https://github.com:acme/llama-1",
    "https://[::1]/acme/llama-1",
    "[git@github.com:22]:acme/llama-1",
    "[::1]:acme/llama-1",
    "git@:acme/llama-1",
    "github.com:",
    "-oProxyCommand=x:acme/llama-1",
    "https://-github.com/acme/llama-1",
    "https://.github.com/acme/llama-1",
    "https://git..hub/acme/llama-1",
    "https://g\u0131thub.com/acme/llama-1",
    "https://github.com/acme/llama-1\n",
    "https://github.com/acme/\x00llama-1",
    "https://github.com/acme/\u200bllama-1",
    "https://github.com/acme/llama-1\udcff",
    "https://github.com/" + "a" * 5000,
]


@pytest.mark.parametrize("url", SPELLINGS)
def test_every_spelling_of_a_remote_is_one(url: str) -> None:
    """User, port, scheme, case of the host, `.git`, slashes and escapes don't make another repository."""
    assert canonical_remote(url) == "github.com/acme/llama-1"


@pytest.mark.parametrize("url", UNCANONICAL)
def test_what_cannot_be_judged_has_no_canonical_form(url: str) -> None:
    """Local paths, helpers, dot segments, hidden slashes, control characters and odd hosts are uncanonical."""
    assert canonical_remote(url) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ssh://git@altssh.gitlab.com:443/acme/x", "gitlab.com/acme/x"),
        ("https://git.acme.example/research/deep/er/x.git", "git.acme.example/research/deep/er/x"),
        ("git:team/x", "git/team/x"),
        ("https://dev.azure.com/acme/My%20Project/_git/x", "dev.azure.com/acme/My Project/_git/x"),
        ("ssh://git@host/~ada/x", "host/~ada/x"),
        ("git@github.com:acme/100%", "github.com/acme/100%"),
        ("https://github.com/acme/x.git.git", "github.com/acme/x.git"),
        ("https://github.com/Acme/X", "github.com/Acme/X"),
    ],
)
def test_the_path_stays_as_it_is(url: str, expected: str) -> None:
    """Only what is said to be dropped is dropped; the case of the path stays."""
    assert canonical_remote(url) == expected


@given(url=st.text(max_size=60) | st.text(alphabet="htps:/@.%25geit[]\\#?~ -", max_size=40))
def test_a_canonical_form_is_stable(url: str) -> None:
    """Hostile text never raises, and a canonical name is its own canonical name as an address."""
    canonical = canonical_remote(url)
    if canonical is not None and not canonical.lower().endswith(".git") and not set("%?#") & set(canonical):
        assert canonical_remote(f"https://{canonical}") == canonical


@pytest.mark.parametrize(
    ("pattern", "remote", "expected"),
    [
        ("github.com/acme/llama-*", "github.com/acme/llama-1", True),
        ("github.com/acme/llama-*", "github.com/acme/llama-", True),
        ("github.com/acme/llama-*", "github.com/acme/llama-1/x", False),
        ("github.com/acme/llama-*", "github.com/acme/alpaca-1", False),
        ("github.com/*/x", "github.com/acme/x", True),
        ("github.com/*/x", "github.com/a/b/x", False),
        ("*/acme/x", "github.com/acme/x", True),
        ("git.acme.example/research/**", "git.acme.example/research/a/b", True),
        ("git.acme.example/research/**", "git.acme.example/researches/a", False),
        ("git.acme.example/**/x", "git.acme.example/x", True),
        ("git.acme.example/**/x", "git.acme.example/a/b/x", True),
        ("git.acme.example/**/x", "git.acme.example/a/bx", False),
        ("git.acme.example/**/x", "git.acme.exampl", False),
        ("**", "github.com/acme/x", True),
        ("*", "github.com/acme/x", False),
        ("github.com/a*b*c", "github.com/axxbxxc", True),
        ("github.com/a*b*c", "github.com/axxbxx", False),
        ("github.com/acme/x", "github.com/acme/x", True),
        ("github.com/acme/x", "github.com/acme/xy", False),
        ("github.com/acme/x", "github.com/Acme/x", False),
        ("github.com/acme/x?", "github.com/acme/xy", False),
        ("", "github.com/acme/x", False),
    ],
)
def test_patterns(pattern: str, remote: str, *, expected: bool) -> None:
    """`*` stays inside a segment, `**` crosses, everything else is itself."""
    assert matches(pattern, remote) is expected


def test_a_hostile_pattern_takes_no_time() -> None:
    """A pattern of many stars is decided at once (a backtracking matcher would not end)."""
    assert not matches("*a" * 200 + "b", "a" * 400)
    assert not matches("/**/" * 200 + "b", "/" * 400)


LLAMA = Exclusion(pattern="github.com/acme/llama-*", rule="AI-07")
RESEARCH = Exclusion(pattern="git.acme.example/research/**", rule="AI-08")


def _repository(*remotes: str) -> Repository:
    return Repository(remotes=remotes)


def test_everywhere_means_everywhere_but_the_excluded() -> None:
    """With `*`, no repository, one without remotes and any other are allowed; one excluded remote refuses."""
    for location in (NoRepository(), _repository(), _repository("github.com/ada/x")):
        assert exclusion_for(location, locations=("*",), exclude=(LLAMA,)) is None
    mixed = _repository("github.com/ada/x", "github.com/acme/llama-1")
    assert exclusion_for(mixed, locations=("*",), exclude=(RESEARCH, LLAMA)) == LLAMA


def test_the_case_of_a_path_hides_nothing() -> None:
    """Servers that ignore case serve ACME/Llama-1 as acme/llama-1, so exclusions do as well; locations don't."""
    shouted = _repository("github.com/ACME/Llama-1")
    assert exclusion_for(shouted, locations=("*",), exclude=(LLAMA,)) == LLAMA
    assert exclusion_for(shouted, locations=("github.com/acme/**",), exclude=()) == Exclusion(
        pattern="", rule="outside"
    )


def test_all_remotes_must_lie_inside() -> None:
    """Locations that aren't everywhere need at least one remote, and hold only where every remote is inside."""
    inside = ("github.com/acme/*", "git.acme.example/**")
    outside = Exclusion(pattern="", rule="outside")
    both = _repository("github.com/acme/x", "git.acme.example/y")
    assert exclusion_for(both, locations=inside, exclude=()) is None
    for location in (_repository("github.com/acme/x", "github.com/ada/x"), _repository(), NoRepository()):
        assert exclusion_for(location, locations=inside, exclude=()) == outside
    assert exclusion_for(both, locations=(), exclude=()) == outside


def test_an_unreadable_repository_is_excluded_unless_nothing_is() -> None:
    """Unreadable counts as excluded; only where everything is allowed does it not matter."""
    unreadable = UnreadableRepository(reason="a remote has no canonical name")
    refused = Exclusion(pattern="", rule="unreadable")
    assert exclusion_for(unreadable, locations=("*",), exclude=()) is None
    assert exclusion_for(unreadable, locations=("*",), exclude=(LLAMA,)) == refused
    assert exclusion_for(unreadable, locations=("**",), exclude=()) == refused


def test_an_exclusion_of_everything_refuses_everything() -> None:
    """`*` means everywhere in `exclude` too."""
    everything = Exclusion(pattern="*", rule="AI-00")
    for location in (NoRepository(), _repository(), _repository("github.com/ada/x")):
        assert exclusion_for(location, locations=("*",), exclude=(everything,)) == everything


_remotes = st.sampled_from(
    ["github.com/acme/a", "github.com/acme/b", "github.com/Acme/a", "gitlab.com/acme/a", "git/x/y/z"]
)
_patterns = st.sampled_from(
    ["*", "**", "github.com/**", "github.com/acme/*", "github.com/acme/a", "git*.com/**", "git/**/z", ""]
)
_places: st.SearchStrategy[Location] = st.one_of(
    st.just(NoRepository()),
    st.just(UnreadableRepository(reason="x")),
    st.lists(_remotes, max_size=3).map(lambda found: Repository(remotes=tuple(found))),
)
_exclusions = st.builds(Exclusion, pattern=_patterns, rule=st.just("R"))


@given(
    place=_places,
    locations=st.lists(_patterns, max_size=3),
    exclude=st.lists(_exclusions, max_size=3),
    more=_exclusions,
    at=st.integers(0, 3),
)
def test_more_exclusions_and_fewer_locations_never_allow_more(
    place: Location, locations: list[str], exclude: list[Exclusion], more: Exclusion, at: int
) -> None:
    """What is refused stays refused when an exclusion is added anywhere or a location removed."""
    if exclusion_for(place, locations=locations, exclude=exclude) is not None:
        assert exclusion_for(place, locations=locations, exclude=[*exclude[:at], more, *exclude[at:]])
        fewer = locations[:at] + locations[at + 1 :]
        assert exclusion_for(place, locations=fewer, exclude=exclude)


@given(found=st.lists(_remotes, max_size=3), extra=_remotes, exclude=st.lists(_exclusions, max_size=3))
def test_another_remote_never_allows_more(found: list[str], extra: str, exclude: list[Exclusion]) -> None:
    """A repository that is refused is refused with a remote more (but for one that had none: it was no zone)."""
    for locations in (("*",), ("github.com/**",)):
        if found and exclusion_for(_repository(*found), locations=locations, exclude=exclude) is not None:
            assert exclusion_for(_repository(*found, extra), locations=locations, exclude=exclude)
