"""Ranges of versions: the cases of node-semver's README, PEP 440 against `packaging`, and what both may never do."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from gatekeeper.decision.versions import in_npm_range, in_pypi_range, parse_npm_range
from gatekeeper.errors import Malformed

# Range, the releases that are its first, and the first after it ("" without end). From the README of node-semver,
# whose upper bounds are written <2.0.0-0: no prerelease matches here, so they are releases.
README = [
    ("", "0.0.0", ""),
    ("*", "0.0.0", ""),
    ("x", "0.0.0", ""),
    ("X", "0.0.0", ""),
    ("1", "1.0.0", "2.0.0"),
    ("1.x", "1.0.0", "2.0.0"),
    ("1.X.x", "1.0.0", "2.0.0"),
    ("1.*", "1.0.0", "2.0.0"),
    ("1.2", "1.2.0", "1.3.0"),
    ("1.2.x", "1.2.0", "1.3.0"),
    ("1.2.*", "1.2.0", "1.3.0"),
    ("1.2.3", "1.2.3", "1.2.4"),
    ("=1.2.3", "1.2.3", "1.2.4"),
    ("v1.2.3", "1.2.3", "1.2.4"),
    ("= v1.2.3", "1.2.3", "1.2.4"),
    ("1.2.3+build", "1.2.3", "1.2.4"),
    (">=1.2.7", "1.2.7", ""),
    (">=1.2.7 <1.3.0", "1.2.7", "1.3.0"),
    (">= 1.2.7 < 1.3.0", "1.2.7", "1.3.0"),
    (">1.2.3", "1.2.4", ""),
    (">1.2", "1.3.0", ""),
    (">1", "2.0.0", ""),
    ("<=1.2.3", "0.0.0", "1.2.4"),
    ("<=1.2", "0.0.0", "1.3.0"),
    ("<=1", "0.0.0", "2.0.0"),
    ("<1.2", "0.0.0", "1.2.0"),
    ("<1", "0.0.0", "1.0.0"),
    (">=1", "1.0.0", ""),
    (">=*", "0.0.0", ""),
    ("<=*", "0.0.0", ""),
    ("1.2.3 - 2.3.4", "1.2.3", "2.3.5"),
    ("1.2 - 2.3.4", "1.2.0", "2.3.5"),
    ("1.2.3 - 2.3", "1.2.3", "2.4.0"),
    ("1.2.3 - 2", "1.2.3", "3.0.0"),
    ("1.2.3 - *", "1.2.3", ""),
    ("~1.2.3", "1.2.3", "1.3.0"),
    ("~1.2", "1.2.0", "1.3.0"),
    ("~1", "1.0.0", "2.0.0"),
    ("~0.2.3", "0.2.3", "0.3.0"),
    ("~0.2", "0.2.0", "0.3.0"),
    ("~0", "0.0.0", "1.0.0"),
    ("~> 1.2.3", "1.2.3", "1.3.0"),
    ("~1.2.3-beta.2", "1.2.3", "1.3.0"),
    ("^1.2.3", "1.2.3", "2.0.0"),
    ("^0.2.3", "0.2.3", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4"),
    ("^1.2.3-beta.2", "1.2.3", "2.0.0"),
    ("^0.0.3-beta", "0.0.3", "0.0.4"),
    ("^1.2.x", "1.2.0", "2.0.0"),
    ("^0.0.x", "0.0.0", "0.1.0"),
    ("^0.0", "0.0.0", "0.1.0"),
    ("^1.x", "1.0.0", "2.0.0"),
    ("^0.x", "0.0.0", "1.0.0"),
    ("^*", "0.0.0", ""),
    (">1.2.3-alpha.3", "1.2.3", ""),
    (">=1.2.3-alpha.3", "1.2.3", ""),
    ("<1.2.3-alpha.3", "0.0.0", "1.2.3"),
    ("<=1.2.3-alpha.3", "0.0.0", "1.2.3"),
    # Ours: a comma between comparators, as policies write it.
    (">=2.1,<3", "2.1.0", "3.0.0"),
    (">= 2.1 , < 3", "2.1.0", "3.0.0"),
    (" ^1.2.3 ", "1.2.3", "2.0.0"),
]
EMPTY = ["<0.0.0", "<*", ">*", "<0", ">=2 <1", "=1.2.3-beta", "1.2.3-beta", ">=1.2.3 <1.2.3"]
UNREADABLE = [
    "latest",
    ">=",
    "> =",
    "1.2.3.4",
    "1..3",
    "01.2.3",
    "1.2.03",
    "1.x.3",
    "*.1",
    "1.2-beta",
    "1.2+build",
    "1.2.3-",
    "1.2.3-be_ta",
    "1.2.3-01",
    "1.2.3-a..b",
    "1 - 2 - 3",
    "- 2",
    "1 -",
    ">=1,,<2",
    ",",
    ">=1,",
    "1.2.3 || nonsense",
    "!1.2.3",
    "1 - latest",
    "9999999999999999.0.0",
    "1" * 1025,
    "git+https://acme.example/x",
    "\u0661.2.3",
]


def _triple(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


@pytest.mark.parametrize(("range_", "first", "after"), README)
def test_a_range_is_the_interval_that_the_readme_says(range_: str, first: str, after: str) -> None:
    """A range is exactly the releases from the first to the one before the last."""
    assert parse_npm_range(range_) == [(_triple(first), _triple(after) if after else None)]
    assert in_npm_range(first, range_)
    if after:
        assert not in_npm_range(after, range_)
    else:
        assert in_npm_range("999999.0.0", range_)


@pytest.mark.parametrize("range_", EMPTY)
def test_an_impossible_range_holds_nothing(range_: str) -> None:
    """A range that excludes everything doesn't hold its own bounds."""
    for version in ("0.0.0", "1.2.2", "1.2.3", "1.2.4", "2.0.0"):
        assert not in_npm_range(version, range_)


@pytest.mark.parametrize("range_", UNREADABLE)
def test_an_unreadable_range_is_malformed(range_: str) -> None:
    """What isn't a range raises, even where the version is none: it never approves by accident."""
    for version in ("1.2.3", "nonsense"):
        with pytest.raises(Malformed):
            in_npm_range(version, range_)


def test_alternatives_are_a_union() -> None:
    """`1.2.7 || >=1.2.9 <2.0.0` is the README's: 1.2.7, 1.2.9 and 1.4.6, but not 1.2.8 or 2.0.0."""
    range_ = "1.2.7 || >=1.2.9 <2.0.0"
    held = {v: in_npm_range(v, range_) for v in ("1.2.7", "1.2.9", "1.4.6", "1.2.8", "2.0.0")}
    assert held == {"1.2.7": True, "1.2.9": True, "1.4.6": True, "1.2.8": False, "2.0.0": False}


@pytest.mark.parametrize(
    "version",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.3-beta",
        "0.169.0-linux-x64",
        "0.0.1790712063-gb89205",
        "01.2.3",
        "1.2.x",
        "1.2.3+",
        "1.2.3+a..b",
        "1.2.3+a_b",
        "one.two.three",
        "2025.09.18-7ae6800",
        "1.2.9999999999999999",
        "1.2." + "3" * 300,
        "\u0661.2.3",
    ],
)
def test_prereleases_and_what_is_no_version_are_in_no_range(version: str) -> None:
    """A prerelease, and what can't be read, isn't even in the range of everything."""
    assert not in_npm_range(version, "*")


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3", " 1.2.3 ", "1.2.3+build.5"])
def test_a_whole_release_is_read(version: str) -> None:
    """A release may carry a `v` and build metadata, which don't count."""
    assert in_npm_range(version, "1.2.3")


numbers = st.integers(0, 12)
releases = st.tuples(numbers, numbers, numbers).map(lambda t: ".".join(map(str, t)))
operators = st.sampled_from(["", "=", ">", ">=", "<", "<=", "~", "^"])
comparators = st.builds(str.__add__, operators, releases)


@given(version=releases, range_=comparators, more=comparators)
def test_an_alternative_widens_and_a_comparator_narrows(version: str, range_: str, more: str) -> None:
    """`a || b` holds what either holds, `a b` and `a,b` what both hold."""
    first, second = in_npm_range(version, range_), in_npm_range(version, more)
    assert in_npm_range(version, f"{range_} || {more}") is (first or second)
    assert in_npm_range(version, f"{range_} {more}") is (first and second)
    assert in_npm_range(version, f"{range_},{more}") is (first and second)


@given(version=st.text(max_size=30), range_=st.text(alphabet="0123456789.xX*<>=~^|- v,+ab", max_size=30))
def test_hostile_text_is_decided_or_malformed(version: str, range_: str) -> None:
    """No text raises anything but `Malformed`."""
    for decide in (in_npm_range, in_pypi_range):
        with contextlib.suppress(Malformed):
            decide(version, range_)


PYPI = [
    ("0.86.2", ">=0.86,<0.87", True),
    ("0.86.2", "==0.86.*", True),
    ("0.87.0", "==0.86.*", False),
    ("0.87.0", "!=0.86.*", True),
    ("0.86", "==0.86.0.*", True),
    ("0.86.2", "~=0.86.1", True),
    ("0.87.0", "~=0.86.1", False),
    ("0.87.0", "~=0.86", True),
    ("1.0", "==1.0.0", True),
    ("1.0", "!=1.0.0", False),
    ("1.0+local", "==1.0", True),
    ("1.0+local", "==1.0+local", True),
    ("1.0+local.2", "==1.0+LOCAL-2", True),
    ("1.0+other", "!=1.0+local", True),
    ("1.0", "===1.0", True),
    ("1.0", "=== 1.0", True),
    ("1.0", "===1.0.0", False),
    ("1.0.post1", ">1.0", False),
    ("1.0.post2", ">1.0.post1", True),
    ("1.0-2", ">1.0rev1", True),
    ("1.0+local", ">1.0", False),
    ("1.0+local", "<1.0", False),
    ("1.0.post1", ">1.0.dev1", True),
    ("1.0", ">1.0rc1", True),
    ("1.0", ">=1.0.post1", False),
    ("1!1.0", ">2.0", True),
    ("1.0", "<1!0.1", True),
    ("v1.0", "<=1.0", True),
    ("1.0a1", ">=0.1", False),
    ("1.0.dev1", ">=0.1", False),
    ("1.0-alpha.1", "===1.0-alpha.1", False),
    ("1.0", "", True),
    ("1.0", " ", True),
    ("nonsense", "", False),
    ("1.0+", "", False),
    ("1.0+a b", "", False),
    ("1." + "0" * 300, "", False),
    ("1." + "9" * 20, "", False),
]


@pytest.mark.parametrize(("version", "range_", "expected"), PYPI)
def test_a_specifier_holds_what_pep_440_says(version: str, range_: str, *, expected: bool) -> None:
    """Each operator, and that prereleases and development releases are in no range."""
    assert in_pypi_range(version, range_) is expected


@pytest.mark.parametrize(
    "range_",
    [
        "1.0",
        ">=",
        ">=x",
        ">=1.0,",
        ",",
        "~=1",
        ">=1.*",
        "==1.0a1.*",
        "==1.0+x.*",
        ">=1.0+local",
        "~=1.0+local",
        "=1.0",
        "==1.0.",
        "==1.0!",
        "==x!1.0",
        "==1.0 beta gamma",
        "== " + "1" * 1100,
        "==1.0+a..b",
        "===",
    ],
)
def test_an_unreadable_specifier_is_malformed(range_: str) -> None:
    """What isn't a specifier raises, even where the version is none."""
    for version in ("1.0", "nonsense"):
        with pytest.raises(Malformed):
            in_pypi_range(version, range_)


small = st.sampled_from(["0", "1", "2"])
pypi_releases = st.lists(small, min_size=1, max_size=3).map(".".join)
suffixes = st.sampled_from(["", "", "", ".post1", "-1", "post", "rev0", "+abc", "+1", "+1.a"])
pre = st.sampled_from(["", "", "", "a1", "-beta.2", "rc", "_pre1", "c0", ".preview-3", "alpha"])
dev = st.sampled_from(["", "", "", ".dev1", "dev"])
epochs = st.sampled_from(["", "", "", "1!"])
bounds = st.builds("{}{}{}{}{}".format, epochs, pypi_releases, pre, suffixes, dev)
specifiers = st.builds(
    "{}{}{}".format,
    st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "==="]),
    bounds,
    st.sampled_from(["", "", "", ".*"]),
)


@given(
    version=st.builds("{}{}{}".format, epochs, pypi_releases, suffixes),
    range_=st.lists(specifiers, min_size=1, max_size=3).map(",".join),
)
def test_ranges_agree_with_packaging(version: str, range_: str) -> None:
    """The `packaging` library, which pip uses, reads the same ranges and gives the same answers."""
    try:
        expected = SpecifierSet(range_).contains(version, prereleases=True)
    except InvalidSpecifier:
        with pytest.raises(Malformed):
            in_pypi_range(version, range_)
    else:
        assert not Version(version).is_prerelease
        assert in_pypi_range(version, range_) is expected
