"""The organisation's catalogue: what it may say, what it gets from the built-in one, and what is refused with a hint."""

from __future__ import annotations

import hashlib
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import CATALOGUE, DAY, code_of

from gatekeeper.documents.launch_token import Identity
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.catalogue import Escalation, Policy, ReviewEntry, Terms, parse_policy
from gatekeeper.service.policy.durations import parse_duration, render_duration
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.policy.starting import starting_catalogue
from gatekeeper.service.policy.toml_lines import lines_of_keys
from gatekeeper.vendors.catalogue import load_builtin

CLAUDE = "[tools.claude]\n"


def _parse(text: str) -> Policy:
    return parse_policy(text, version=3)


def _problems(text: str) -> list[str]:
    with pytest.raises(GatekeeperError) as caught:
        _parse(text)
    assert caught.value.code == "GK101"
    problems = caught.value.facts.get("problems", [caught.value.detail])
    assert isinstance(problems, list)
    return [re.sub(r"^catalogue\.toml:[0-9]+:", "catalogue.toml:", problem) for problem in problems]


def test_the_starting_catalogue_offers_every_known_assistant_for_approval() -> None:
    """All of the built-in catalogue, none open, and each with what it takes to recognise it."""
    policy = _parse(starting_catalogue())
    assert [tool.id for tool in policy.tools] == list(load_builtin()["tools"])
    assert {tool.access for tool in policy.tools} == {"approval"}
    assert all(tool.identities and tool.executables and tool.vendor_name for tool in policy.tools)
    assert policy.zones == ()


def test_the_starting_catalogue_says_the_defaults() -> None:
    """What it writes out is what holds where nothing is written."""
    said, silent = (
        _parse(starting_catalogue()),
        _parse("".join(f"[tools.{t}]\n" for t in load_builtin()["tools"])),
    )
    assert said == silent
    assert (said.fresh_for, said.lease_for, said.max_lease_for) == (900, DAY, DAY)
    assert {(t.duration_for, t.max_duration_for, t.min_reason) for t in said.tools} == {
        (30 * DAY, 90 * DAY, 20)
    }


def test_only_what_the_organisation_names_is_offered() -> None:
    """A newer gatekeeper that knows one more assistant doesn't offer it by itself, not even where all are open."""
    policy = _parse('[defaults]\naccess = "open"\n[tools.claude]\n')
    assert [tool.id for tool in policy.tools] == ["claude"]
    assert policy.tool("codex") is None
    assert _parse("").tools == ()


def test_the_organisation_overrides_key_by_key() -> None:
    """What it doesn't say stays as gatekeeper knows it."""
    known = _parse(CLAUDE).tools[0]
    changed = _parse(
        CLAUDE + 'name = "Our Claude"\nidentity = { npm = "@acme/claude", versions = ">=2,<3" }'
    ).tools[0]
    assert changed.name == "Our Claude"
    assert changed.identities == (Identity(npm="@acme/claude", versions=">=2,<3"),)
    assert changed.launch == known.launch
    assert changed.executables == known.executables


def test_limits_come_from_the_tool_else_the_defaults() -> None:
    """And a tool's lower maximum bounds the default duration."""
    policy = _parse(
        '[defaults]\naccess = "closed"\nduration = "20d"\nmax_duration = "40d"\nmin_reason = 5\n'
        '[tools.claude]\nmax_duration = "7d"\naccess = "approval"\n[tools.codex]\nmin_reason = 0\nduration = "30d"\n'
    )
    claude, codex = policy.tools
    assert (claude.access, claude.duration_for, claude.max_duration_for, claude.min_reason) == (
        "approval",
        7 * DAY,
        7 * DAY,
        5,
    )
    assert (codex.access, codex.duration_for, codex.max_duration_for, codex.min_reason) == (
        "closed",
        30 * DAY,
        40 * DAY,
        0,
    )


def test_a_tool_is_found_by_id_and_by_executable() -> None:
    """By its id first; what was stored as an id never means an executable."""
    policy = _parse(CATALOGUE)
    for word in ("probe", "probe-ng"):
        tool = policy.tool(word)
        assert tool is not None
        assert tool.id == "probe"
    assert policy.tool_of_id("probe-ng") is None
    assert policy.tool("Probe") is None


def test_alternatives_that_are_not_offered_are_left_out() -> None:
    """Those of the built-in catalogue silently; those that the organisation wrote are a mistake."""
    (problem,) = _problems('[tools.claude]\nalternatives = ["codx"]\n[tools.codex]\n')
    assert problem == (
        "catalogue.toml: tools.claude.alternatives: 'codx' is no tool of this catalogue. Did you mean codex?"
    )
    for tool in _parse(CLAUDE).tools:
        assert set(tool.alternatives) <= {"claude"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.claude]", "tool: unknown key. Did you mean tools?"),
        (CLAUDE + 'acess = "open"', "tools.claude.acess: unknown key. Did you mean access?"),
        ("[defaults]\nmaxduration = 3", "defaults.maxduration: unknown key. Did you mean max_duration?"),
        ("[organisation]\nqqq = 3", "organisation.qqq: unknown key."),
        ("[vendors.x]\nnam = 'X'", "vendors.x.nam: unknown key. Did you mean name?"),
        (
            CLAUDE + "launch = { env_sett = {} }",
            "tools.claude.launch.env_sett: unknown key. Did you mean env_set?",
        ),
        (CLAUDE + "identity = { nmp = 'x' }", "tools.claude.identity.nmp: unknown key. Did you mean npm?"),
        ("[zones.a]\nremote = ['h/p']", "zones.a.remote: unknown key. Did you mean remotes?"),
        (
            CLAUDE + 'access = "aproval"',
            "tools.claude.access: must be one of open, approval, closed. Did you mean approval?",
        ),
        ("tools = 3", "tools: must be a table."),
        ("[tools]\nclaude = 3", "tools.claude: must be a table."),
        (CLAUDE + "launch = 3", "tools.claude.launch: must be a table."),
        (CLAUDE + "identity = ['x']", "tools.claude.identity: must be a table."),
        (CLAUDE + "identity = []", "tools.claude.identity: identity is missing."),
        (
            CLAUDE + "identity = { versions = '>=1' }",
            "tools.claude.identity: an identity recognises nothing.",
        ),
        (
            CLAUDE + "identity = { sha256 = ['XYZ'] }",
            "tools.claude.identity: identity.sha256 is no lower-case digest.",
        ),
        (
            CLAUDE + "identity = { npm = 'x', versions = '>>1' }",
            "tools.claude.identity: the range '>>1' can't be read",
        ),
        (
            CLAUDE + "identity = { pypi = 'x', versions = '^1' }",
            "tools.claude.identity: the range '^1' can't be read",
        ),
        (
            CLAUDE + "launch = { env_set = { 'A=B' = 'x' } }",
            "tools.claude.launch: launch names an impossible variable.",
        ),
        (
            CLAUDE + "executables = ['/bin/sh']",
            "tools.claude.executables: '/bin/sh' is no name of an executable.",
        ),
        (CLAUDE + "executables = ['..']", "tools.claude.executables: '..' is no name of an executable."),
        (CLAUDE + "executables = [3]", "tools.claude.executables: must be a list of texts."),
        (
            CLAUDE + "[tools.codex]\nexecutables = ['claude']",
            "tools.codex.executables: 'claude' is claude already.",
        ),
        ('"a\\u001b[2Jb" = 1', "'a\\x1b[2Jb': unknown key."),
        (CLAUDE + 'name = "a\\u001bb"', "tools.claude.name: must be a text"),
        (CLAUDE + 'name = "a\\u202eb"', "tools.claude.name: must be a text"),
        ("[organisation]\nname = 3", "organisation.name: must be a text"),
        (CLAUDE + "vendor = ''", "tools.claude.vendor: is missing."),
        ("[tools.new]\nidentity = { npm = 'x' }", "tools.new.vendor: is missing."),
        ("[tools.new]\nvendor = 'x'", "tools.new.identity: identity is missing."),
        ("[tools.New]\nvendor = 'x'\nidentity = { npm = 'x' }", "tools.New: is no tool id"),
        ("[tools.'a b']\nvendor = 'x'\nidentity = { npm = 'x' }", "tools.a b: is no tool id"),
        ("[tools.'../x']\nvendor = 'x'\nidentity = { npm = 'x' }", "tools.../x: is no tool id"),
        (CLAUDE + "duration = '91d'", "tools.claude.duration: is longer than max_duration."),
        ("[defaults]\nduration = '91d'", "defaults.duration: is longer than max_duration."),
        ("[defaults]\nduration = 30", "defaults.duration: is no duration."),
        ("[defaults]\nduration = '1w'", "defaults.duration: is no duration."),
        ("[defaults]\nfresh = '25h'", "defaults.fresh: is longer than the lease."),
        ("[defaults]\nlease = '48h'\nmax_lease = '24h'", "defaults.max_lease: is shorter than the lease."),
        ("[defaults]\nmax_lease = '73h'", "defaults.max_lease: is longer than 72h."),
        ("[defaults]\nmin_reason = -1", "defaults.min_reason: must be a whole number from 0 to 1000."),
        ("[defaults]\nmin_reason = true", "defaults.min_reason: must be a whole number from 0 to 1000."),
        ("[defaults]\nreviews = 3", "defaults.reviews: must be a list of tables."),
        (
            "[defaults]\nreviews = [{ from = ['x'] }]",
            "defaults.reviews.from: must name groups or the manager.",
        ),
        (
            "[defaults]\nreviews = [{ from = ['group:'] }]",
            "defaults.reviews.from: must name groups or the manager.",
        ),
        ("[defaults]\nreviews = [{ from = [] }]", "defaults.reviews.from: must name groups or the manager."),
        ("[defaults]\nreviews = [{ from = ['manager'], need = 2 }]", "defaults.reviews.need: unknown key."),
        (
            "[defaults]\nreviews = [{ from = ['manager'], needed = 0 }]",
            "defaults.reviews.needed: must be a whole",
        ),
        ("effective = 2026-06-29", "effective: is no instant with a time zone."),
        ("effective = 2026-06-29T00:00:00", "effective: is no instant with a time zone."),
        ("effective = 1900-06-29T00:00:00Z", "effective: is no instant with a time zone."),
        ("x", "not TOML"),
        ("a = 1\na = 2", "not TOML"),
        ("a = " + "9" * 5000, "not TOML that can be used: an integer is beyond 64 bits."),
        ("[defaults]\naccess = 0x" + "f" * 5000, "not TOML that can be used: an integer is beyond 64 bits."),
        ("[defaults]\naccess = -0x8000000000000001", "not TOML"),
        ("a = " + "[" * 5000 + "]" * 5000, "not TOML that can be used: nested too deep."),
        (CLAUDE + "launch" + ".a" * 20_000 + " = 1", "not TOML that can be used: nested too deep."),
    ],
)
def test_a_mistake_is_named_with_its_key(text: str, problem: str) -> None:
    """File, key, what is wrong, and what may have been meant."""
    problems = _problems(text)
    assert any(one.startswith(f"catalogue.toml: {problem}") for one in problems), problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[privacy]\nlaunches = '90x'", "privacy.launches: is no duration."),
        ("[privacy]\nlaunch = '90d'", "privacy.launch: unknown key. Did you mean launches?"),
        (
            "[defaults]\nescalate = { after = '8h', to = [] }",
            "defaults.escalate.to: must name groups or the manager.",
        ),
        ("[defaults]\nescalate = { to = ['group:x'] }", "defaults.escalate.after: is missing."),
        ("[defaults]\nescalate = 3", "defaults.escalate: must be a table."),
        ("[defaults]\nseats = 3", "defaults.seats: unknown key."),
        (CLAUDE + "seats = 0", "tools.claude.seats: must be a whole number from 1 to 1000000."),
        (CLAUDE + "unused_after = '21d'", "tools.claude.unused_after: says when an unused seat falls free"),
        (CLAUDE + "seats = 3\nunused_after = 21", "tools.claude.unused_after: is no duration."),
        (
            CLAUDE + "terms = { file = 'x', version = 1 }",
            "tools.claude.terms.file: is no file in the folder terms.",
        ),
        (
            CLAUDE + "terms = { file = 'terms/../x', version = 1 }",
            "tools.claude.terms.file: is no file in the folder terms.",
        ),
        (CLAUDE + "terms = { file = 'terms/x.md' }", "tools.claude.terms.version: is missing."),
        (
            CLAUDE + "terms = { file = 'terms/x.md', version = 1 }",
            "tools.claude.terms.file: terms/x.md is missing or empty.",
        ),
        (
            "[zones.a]\nremotes = ['h/p']\nassisted = 'nevr'",
            "zones.a.assisted: must be one of never. Did you mean never?",
        ),
    ],
)
def test_a_limit_that_can_t_be_meant_is_named(text: str, problem: str) -> None:
    """A limit that is misread would be a limit that nobody keeps."""
    problems = _problems(text)
    assert any(one.startswith(f"catalogue.toml: {problem}") for one in problems), problems


def test_limits_are_read() -> None:
    """Seats, terms, reviews, escalation, and what a zone asks for on top."""
    policy = parse_policy(
        """
[defaults]
reviews = [{ from = ["group:security"] }]
escalate = { after = "8h", to = ["group:leads", "manager"] }
[privacy]
launches = "30d"
[tools.claude]
seats = 200
unused_after = "21d"
terms = { file = "terms/claude.md", version = 2 }
[tools.codex]
reviews = [{ from = ["manager"], needed = 2 }, { from = ["manager"] }]
escalate = { after = "1h", to = ["group:night"] }
[zones.a]
remotes = ["host/p"]
assisted = "never"
reviews = [{ from = ["group:security"], needed = 3 }, { from = ["group:safety"] }]
""",
        version=1,
        terms={"terms/claude.md": "Be kind.\n"},
    )
    claude, codex = policy.tools
    assert (claude.seats, claude.unused_for, policy.launches_kept_for) == (200, 21 * DAY, 30 * DAY)
    assert claude.terms == Terms(
        version=2, text="Be kind.\n", sha256=hashlib.sha256(b"Be kind.\n").hexdigest()
    )
    assert claude.reviews == (ReviewEntry(sources=("group:security",), needed=1),)
    assert claude.escalate == Escalation(after_for=8 * 3600, to=("group:leads", "manager"))
    assert codex.reviews == (ReviewEntry(sources=("manager",), needed=2),)
    assert codex.escalate == Escalation(after_for=3600, to=("group:night",))
    assert (codex.seats, codex.unused_for, codex.terms) == (None, None, None)
    assert policy.zones[0].assisted == "never"
    assert reviews_needed(policy, claude, ("none", "a", "gone")) == (
        ReviewEntry(sources=("group:security",), needed=3),
        ReviewEntry(sources=("group:safety",), needed=1),
    )
    assert reviews_needed(policy, claude, ("none",)) == claude.reviews


def test_a_mistake_is_named_with_its_line() -> None:
    """Also inside an inline table, after a text of many lines, and for what is missing in a table."""
    text = (
        'effective = """\n[tools.x]\nseats = 3\n"""\n\n'
        "[tools.claude]\nlaunch = { env_set = {}, env_sett = {} }\nseats = 0\n"
        "[tools.new]\nidentity = { npm = 'x' }\n[tools.'a b']\n"
    )
    with pytest.raises(GatekeeperError) as caught:
        _parse(text)
    found = [problem.split(": ")[0:2] for problem in str(caught.value.detail).splitlines()]
    assert ["catalogue.toml:1", "effective"] in found
    assert ["catalogue.toml:7", "tools.claude.launch.env_sett"] in found
    assert ["catalogue.toml:8", "tools.claude.seats"] in found
    assert ["catalogue.toml:9", "tools.new.vendor"] in found
    assert ["catalogue.toml:11", "tools.a b"] in found


@given(st.text(alphabet="[]ab.=\"' \n#{},", max_size=200))
def test_finding_lines_never_fails(text: str) -> None:
    """Whatever stands in the file; every line is one of it."""
    lines = text.split("\n")
    assert all(1 <= line <= len(lines) for line in lines_of_keys(text).values())


@pytest.mark.parametrize(
    ("name", "remote"),
    [
        ("none", "h/p"),
        ("A", "h/p"),
        ("a.b", "h/p"),
        ("a", "*"),
        ("a", "**"),
        ("a", "host"),
        ("a", "https://host/p"),
        ("a", "git@host:p"),
        ("a", "Host/p"),
        ("a", "host/p.git"),
        ("a", "host/../p"),
        ("a", "host//p"),
        ("a", "host/p/"),
        ("a", "/p"),
        ("a", "host:22/p"),
        ("a", "host/a b"),
        ("a", "host/p?q"),
    ],
)
def test_a_zone_that_would_match_nothing_or_everything_is_refused(name: str, remote: str) -> None:
    """Patterns are canonical remotes; a zone that protects nothing by a slip is worse than an error."""
    assert len(_problems(f"[zones.'{name}']\nremotes = ['{remote}']")) == 1


def test_a_zone_without_repositories_is_refused() -> None:
    """It protects nothing."""
    assert len(_problems("[zones.a]\nremotes = []")) == 1


def test_zones_that_no_token_could_carry_are_refused() -> None:
    """A launch token is at most 12 KiB."""
    remotes = ", ".join(f"'host/{'x' * 40}{n}'" for n in range(150))
    assert any(
        "too many or too long" in problem for problem in _problems(f"[zones.a]\nremotes = [{remotes}]")
    )


def test_everything_wrong_is_said_at_once() -> None:
    """Whoever repairs a policy isn't sent around in circles; nothing is said twice."""
    problems = _problems(
        '[defaults]\naccess = "x"\nfresh = "2d"\nqqq = 1\n[tools.claude]\nseats = 0\n[tools.codex]\nduration = 5\n'
    )
    assert [problem.split(": ")[1] for problem in problems] == [
        "defaults.qqq",
        "defaults.access",
        "tools.claude.seats",
        "tools.codex.duration",
        "defaults.fresh",
    ]


TOP = ["tools", "zones", "defaults", "organisation", "vendors", "effective"]


@given(st.dictionaries(st.sampled_from(TOP), st.sampled_from(["1", "true", "'x'", "[1]", "[{}]", "1.5"])))
def test_the_wrong_shape_is_never_a_traceback(values: dict[str, str]) -> None:
    """Whatever stands where a table belongs."""
    text = "".join(f"{key} = {value}\n" for key, value in values.items())
    assert code_of(lambda: _parse(text)) == ("GK101" if values else "")


@given(st.text(max_size=200))
def test_no_text_is_a_traceback(text: str) -> None:
    """A policy, or GK101."""
    assert code_of(lambda: _parse(text)) in {"", "GK101"}


def test_a_date_is_an_instant() -> None:
    """`effective` in Unix seconds."""
    assert _parse("effective = 2026-06-29T02:00:00+02:00").effective_at == 1_782_691_200
    assert _parse("").effective_at is None


def test_the_builtin_catalogue_is_a_catalogue() -> None:
    """What gatekeeper ships passes its own lint as if an organisation had written it."""
    tables = tomllib.loads(starting_catalogue())
    assert set(tables["tools"]) == set(load_builtin()["tools"])
    builtin = load_builtin()
    for tool in builtin["tools"].values():
        assert set(tool) <= {
            "name",
            "vendor",
            "executables",
            "identity",
            "alternatives",
            "launch",
            "surfaces",
            "commit_trailers",
        }
        assert tool["vendor"] in builtin["vendors"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * DAY), ("12h", 43_200), ("90m", 5400), ("45s", 45), ("3650d", 3650 * DAY)],
)
def test_durations(text: str, seconds: int) -> None:
    """A whole number and a unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d",
        "0d",
        "-1d",
        "+1d",
        " 1d",
        "1d ",
        "1 d",
        "1.5d",
        "1D",
        "1w",
        "1",
        "3651d",
        "9" * 5000 + "s",
        "\u0661d",
        "\u00b2d",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    """GK410, whatever it is."""
    assert code_of(lambda: parse_duration(text)) == "GK410"


@given(st.integers(1, 3650 * DAY))
def test_durations_read_back(seconds: int) -> None:
    """Rendering loses nothing."""
    assert parse_duration(render_duration(seconds)) == seconds
