"""The words of every outcome: complete, in order, honest about denials, and pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.facts import EXECUTABLE, HOUR, IDENTITY, NOW, UNREACHABLE, facts, token

from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.codes import CODES, INVALID, NOT_INSTALLED, PENDING, REFUSED, SIGN_IN, UNDETERMINED
from gatekeeper.decision.facts import Absent, Allow, Facts
from gatekeeper.decision.notice import (
    AGENT_LINE,
    NOT_A_DENIAL,
    Notice,
    Scene,
    error_notice,
    notice_for,
    quote,
    render_span,
    still_usable,
    under_agent,
    verdict_of,
)
from gatekeeper.decision.obstacles import NotInstalled, Pending, Refuse, Undetermined
from gatekeeper.documents.api import Problem
from gatekeeper.documents.catalogue import Catalogue, CatalogueTool
from gatekeeper.documents.launch_token import Identity
from gatekeeper.errors import GatekeeperError

MET_BY_RUN = [code for code in CODES if code[2] in "1234567"] + ["GK801", "GK802", "GK803", "GK804"]
HARSH = ("block", "violat", "forbid", "malware", "illegal", "banned")


def problem(code: str, **changes: object) -> Problem:
    """Make a problem as the service would answer."""
    return Problem(code=code, status=403, title=CODES[code].title).replace(**changes)


def decision(code: str, **changes: object) -> Refuse | Pending | Undetermined:
    """Make the decision that a code belongs to."""
    kind = CODES[code].kind
    made: Refuse | Pending | Undetermined
    if kind == REFUSED:
        made = Refuse(tool="claude", code=code)
    elif kind == PENDING:
        made = Pending(tool="claude", code=code)
    else:
        made = Undetermined(tool="claude", code=code)
    return made.replace(**changes)


def row(notice: Notice, label: str) -> str:
    """Return the text of one row, "" without it."""
    return dict(notice.rows).get(label, "")


def catalogue(**changes: object) -> Catalogue:
    """Make a catalogue with an open tool beside claude."""

    def tool(id_: str, access: str) -> CatalogueTool:
        return CatalogueTool(
            id=id_,
            name=id_,
            vendor="v",
            vendor_name="V",
            access=access,
            executables=(id_,),
            identities=(IDENTITY,),
        )

    made = Catalogue(
        issuer="https://gk.acme.example",
        subject="u_1",
        version=1,
        issued_at=NOW,
        expires_at=NOW + HOUR,
        jti="c",
        organisation="Acme",
        help="#ai-approvals",
        tools=(tool("claude", "approval"), tool("house", "open"), tool("codex", "approval")),
        rules=(("zone:core", "The core stays free of other vendors' assistants."),),
    )
    return made.replace(**changes)


class TestEveryCode:
    """What holds whatever the code is."""

    @pytest.mark.parametrize("code", MET_BY_RUN)
    def test_has_words_and_a_command(self, code: str) -> None:
        """The first line names the tool and says something; there is exactly one command to run."""
        notice = notice_for(decision(code), Scene(facts=facts()))
        assert notice.code == code
        assert "claude" in notice.title
        assert notice.title.endswith(".")
        assert "{" not in notice.title
        assert [label for label, _ in notice.rows].count("Do") == 1
        assert row(notice, "Why")

    @pytest.mark.parametrize("code", MET_BY_RUN)
    def test_tells_a_refusal_from_a_doubt_in_the_first_line(self, code: str) -> None:
        """Refused, not yet and couldn't decide have three openings; only the last says that it is no denial."""
        notice = notice_for(decision(code), Scene(facts=facts()))
        kind = CODES[code].kind
        opening = {
            REFUSED: "Not starting claude: ",
            NOT_INSTALLED: "Not starting claude: ",
            PENDING: "Not starting claude yet: ",
        }.get(kind, "Couldn't start claude: " if code == "GK803" else "Couldn't check claude: ")
        assert notice.title.startswith(opening)
        assert (("", NOT_A_DENIAL) in notice.rows) == (kind in (SIGN_IN, UNDETERMINED, INVALID))

    @pytest.mark.parametrize("code", MET_BY_RUN)
    def test_never_sounds_like_malware(self, code: str) -> None:
        """Policy and approval are the words."""
        notice = notice_for(decision(code), Scene(facts=facts(), catalogue=catalogue()))
        text = " ".join([notice.title, *(text for _, text in notice.rows), CODES[code].meaning]).lower()
        assert not [word for word in HARSH if word in text]

    @pytest.mark.parametrize("code", MET_BY_RUN)
    def test_a_command_is_never_left_with_a_placeholder_for_the_tool(self, code: str) -> None:
        """What stands after `Do` can be copied."""
        assert "TOOL" not in row(notice_for(decision(code), Scene(facts=facts())), "Do")

    @pytest.mark.parametrize("code", sorted(CODES))
    def test_an_error_has_words_too(self, code: str) -> None:
        """Any code may be an error's, of a command or of a launch."""
        for tool in ("", "claude"):
            notice = error_notice(GatekeeperError(code, "what was found"), tool=tool)
            assert row(notice, "What") == "what was found"
            assert row(notice, "Do")

    def test_an_agent_is_told_to_ask(self) -> None:
        """One more line under an agent, none for a person."""
        assert notice_for(decision("GK301"), Scene(agent=True)).agent_line == AGENT_LINE
        assert notice_for(decision("GK301"), Scene()).agent_line == ""


class TestWhatItSays:
    """The row that differs from code to code."""

    def test_who_and_what(self) -> None:
        """The person, the device, the tool's version and the path that PATH found."""
        scene = Scene(who="ada@acme.example", device="d_1", facts=facts())
        notice = notice_for(decision("GK301"), scene)
        assert row(notice, "Who") == "ada@acme.example on d_1"
        assert row(notice, "What") == "claude 2.1.3 (/usr/bin/claude)"

    def test_policy_speaks_for_itself(self) -> None:
        """The service's words come first, with the rule's id."""
        said = problem("GK310", detail="Not on Sundays", rule="AI-07")
        notice = notice_for(decision("GK310", problem=said, rule="AI-07"), Scene())
        assert row(notice, "Why") == "Not on Sundays. (rule AI-07)"

    def test_a_wrong_version_is_put_right_by_the_installer_that_put_it_there(self) -> None:
        """npm for npm; the range is quoted and written as npm reads it."""
        here = facts(executable=EXECUTABLE.replace(version="3.0.0", npm="@anthropic-ai/claude-code"))
        made = decision("GK304", detail="3.0.0 is outside >=2.1,<3")
        notice = notice_for(made, Scene(facts=here))
        assert row(notice, "Why") == "3.0.0 is outside >=2.1,<3."
        assert row(notice, "Do") == "npm install -g '@anthropic-ai/claude-code@>=2.1 <3'"

    @pytest.mark.parametrize(
        ("path", "command"),
        [
            (
                "/home/ada/.local/share/pipx/venvs/aider/bin/aider",
                "pipx install --force 'aider-chat>=0.80,<1'",
            ),
            ("/home/ada/.local/share/uv/tools/aider/bin/aider", "uv tool install 'aider-chat>=0.80,<1'"),
            ("/srv/venv/bin/aider", "pip install 'aider-chat>=0.80,<1'"),
        ],
    )
    def test_a_wrong_version_from_pypi(self, path: str, command: str) -> None:
        """pipx, uv and pip each by the place that they install to."""
        identity = Identity(pypi="aider-chat", versions=">=0.80,<1")
        here = facts(
            token=token(identities=(identity,)),
            executable=EXECUTABLE.replace(pypi="aider-chat", path=path),
        )
        assert row(notice_for(decision("GK304"), Scene(facts=here)), "Do") == command

    def test_an_unknown_executable_is_told_what_is_approved(self) -> None:
        """The package and its versions."""
        notice = notice_for(decision("GK305", detail="no package owns it"), Scene(facts=facts()))
        assert row(notice, "Why") == (
            "no package owns it. Approved: @anthropic-ai/claude-code >=2.1,<3 (npm)."
        )

    def test_a_repository_is_refused_in_the_rules_words(self) -> None:
        """The catalogue's words for the rule, its id, and how to ask for that zone."""
        made = decision("GK306", detail="git.acme.example/core/**", rule="zone:core")
        notice = notice_for(made, Scene(facts=facts(), catalogue=catalogue()))
        assert row(notice, "Why") == ("The core stays free of other vendors' assistants. (rule zone:core)")
        assert row(notice, "Do") == 'gatekeeper request claude --zone core --reason "…"'

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ("outside", "The approval doesn't cover the repository of this directory."),
            (
                "unreadable",
                "The remotes of this repository can't be read for certain, so it counts as excluded.",
            ),
        ],
    )
    def test_a_repository_without_a_rule(self, rule: str, words: str) -> None:
        """Gatekeeper's own two reasons have words of their own, and are no rule of the policy."""
        notice = notice_for(decision("GK306", rule=rule), Scene(facts=facts()))
        assert row(notice, "Why") == words

    def test_a_revocation_names_who_and_why(self) -> None:
        """By whom, and the reason as it was given."""
        said = problem("GK307", by="sam@acme.example", reason="the pilot is over")
        notice = notice_for(decision("GK307", problem=said), Scene())
        assert row(notice, "Why") == "revoked by sam@acme.example: the pilot is over"

    def test_an_ended_grant_says_when(self) -> None:
        """The instant, from the token that stands here."""
        here = facts(token=token(grant_ends=NOW - HOUR))
        assert "ended 2027-01-15 07:00 UTC" in row(notice_for(decision("GK308"), Scene(facts=here)), "Why")

    def test_a_pending_request_is_named_and_linked(self) -> None:
        """Which request, where it stands, and how to wait."""
        said = problem("GK401", request="R-1", request_url="https://gk.acme.example/requests/R-1")
        notice = notice_for(decision("GK401", problem=said), Scene())
        assert notice.title == "Not starting claude yet: your request R-1 waits for an approver."
        assert row(notice, "Do") == "gatekeeper run --wait claude"
        assert row(notice, "Or") == "https://gk.acme.example/requests/R-1"

    def test_unreachable_says_how_old_the_proof_is(self) -> None:
        """Last verified when, usable until when."""
        here = facts(now=NOW + 30 * HOUR)
        notice = notice_for(decision("GK601", detail="connection refused"), Scene(facts=here))
        assert row(notice, "Last") == "verified 30 h 1 min ago, was usable until 2027-01-16 07:59 UTC"

    def test_not_installed_says_what_was_looked_for(self) -> None:
        """The names."""
        here = facts(executable=NotInstalled(names=("claude", "claude-code")))
        assert row(notice_for(decision("GK801"), Scene(facts=here)), "What") == (
            "claude, looked for on PATH as claude, claude-code"
        )

    def test_what_may_be_started_today(self) -> None:
        """Approved and open tools, then what policy offers instead; never the refused tool itself."""
        said = problem("GK301", alternatives=("codex", "claude"))
        scene = Scene(available=("aider", "claude"), catalogue=catalogue())
        assert row(notice_for(decision("GK301", problem=said), scene), "Now") == (
            "approved for you today: aider, house; offered instead: codex"
        )

    def test_nothing_is_offered_where_nothing_could_be_decided(self) -> None:
        """The same doubt would meet the other tool."""
        assert not row(notice_for(decision("GK601"), Scene(available=("aider",))), "Now")

    def test_where_help_is(self) -> None:
        """The organisation's place, the code, and the reference that the approver sees."""
        notice = notice_for(
            decision("GK301", problem=problem("GK301", ref="9f2")), Scene(catalogue=catalogue())
        )
        assert row(notice, "Help") == "#ai-approvals · gatekeeper explain GK301 · ref 9f2"

    def test_check_does_not_pretend_to_start(self) -> None:
        """`check` starts nothing, so it doesn't say that it isn't starting."""
        notice = notice_for(decision("GK301"), Scene(checking=True))
        assert notice.title == "claude would not start: it isn't approved for you."

    def test_a_refused_call_quotes_the_service(self) -> None:
        """An error of the service brings its own words, person and link."""
        said = problem("GK303", tool="crush", request_url="https://gk.acme.example/x", ref="r1")
        notice = error_notice(ServiceRefused("GK303", "crush is closed", facts={"problem": said}))
        assert row(notice, "Or") == "https://gk.acme.example/x"
        assert "ref r1" in row(notice, "Help")


@given(word=st.text(min_size=1))
def test_a_quoted_word_is_one_word_for_a_shell(word: str) -> None:
    """Whatever a name holds, a copied command says exactly that name."""
    import shlex

    assert shlex.split(quote(word)) == [word] or "\0" in word


@given(seconds=st.integers(min_value=-100, max_value=10**9))
def test_a_span_is_near(seconds: int) -> None:
    """Days are the nearest, smaller units are rounded down, and nothing is below zero."""
    units = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    parts = render_span(seconds).split(" ")
    total = sum(int(n) * units[u] for n, u in zip(parts[::2], parts[1::2], strict=True))
    least = total - 43_200 if "d" in parts else total
    assert least <= max(0, seconds) < total + 43_200


@pytest.mark.parametrize(
    ("environment", "agent"),
    [
        ({}, False),
        ({"AI_AGENT": ""}, False),
        ({"AI_AGENT": "x"}, True),
        ({"AGENT": "1"}, True),
        ({"CLAUDECODE": "1"}, True),
    ],
)
def test_an_agent_is_known_by_its_variables(environment: dict[str, str], agent: bool) -> None:  # noqa: FBT001
    """Any of the three, unless empty."""
    assert under_agent(environment) is agent


class TestStillUsable:
    """The one line of a launch that goes on without the service."""

    def test_says_until_when(self) -> None:
        """Why, how long, and the code."""
        allow = Allow(tool="claude", token=token(), executable=EXECUTABLE, unreachable=UNREACHABLE)
        line = still_usable(allow, now=NOW)
        assert "\n" not in line
        assert "connection refused" in line
        assert "23 h 59 min" in line
        assert line.endswith("GK601")

    def test_is_silent_where_all_is_well(self) -> None:
        """A warm launch says nothing."""
        assert still_usable(Allow(tool="claude", token=token(), executable=EXECUTABLE), now=NOW) == ""


class TestVerdict:
    """A decision as programs get it."""

    def test_allowed(self) -> None:
        """No code, exit 0, and the token's end."""
        verdict = verdict_of(
            Allow(tool="claude", token=token(), executable=EXECUTABLE), facts(), running=False
        )
        assert (verdict.decision, verdict.code, verdict.exit) == ("allow", "", 0)
        assert verdict.expires_at == token().expires_at

    @pytest.mark.parametrize("code", MET_BY_RUN)
    def test_exits_stand_in_the_codes_row(self, code: str) -> None:
        """Nothing else decides an exit status."""
        for running in (False, True):
            verdict = verdict_of(decision(code), facts(), running=running)
            assert verdict.exit == (CODES[code].run_exit if running else CODES[code].check_exit)
            assert verdict.code == code

    def test_carries_what_the_service_said(self) -> None:
        """Request, link, alternatives, rule, reference."""
        said = problem(
            "GK401", request="R-1", request_url="https://x", alternatives=("house",), ref="r", rule="AI-07"
        )
        verdict = verdict_of(decision("GK401", problem=said), facts(), running=True)
        assert verdict.decision == "pending"
        assert (verdict.request_id, verdict.request_url) == ("R-1", "https://x")
        assert (verdict.alternatives, verdict.ref, verdict.rule) == (("house",), "r", "AI-07")

    def test_without_an_executable(self) -> None:
        """A tool that isn't here has neither version nor path."""
        here: Facts = facts(executable=NotInstalled(names=("claude",)), token=Absent(reason="none"))
        verdict = verdict_of(decision("GK801"), here, running=False)
        assert (verdict.version, verdict.path) == ("", "")
