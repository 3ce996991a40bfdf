"""What somebody new meets: every `Do` can be run, every answer says what stands and what comes next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import DAY, Desk, grant_view, request_view
from tests.fakes.facts import HOUR, NOW, facts, token
from tests.fakes.workstation import TRUST, keep
from tests.fakes.world import FakeWorld

from gatekeeper.cli.approvals import CACHE, SERVICE, Standing, scope_words
from gatekeeper.cli.moments import render_brief
from gatekeeper.cli.run import report
from gatekeeper.codes import CODES
from gatekeeper.decision.notice import Scene, error_notice, notice_for
from gatekeeper.decision.obstacles import Refuse, Renewed
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.argv import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

REASON = "Refactor the billing service"


class TestScope:
    """An approval that doesn't hold everywhere says where it holds."""

    def test_status_names_the_zones_of_a_grant(self, desk: Desk) -> None:
        """In words, and in JSON."""
        desk.calls.granted = (grant_view(zones=("core", "lab")),)
        assert "claude: approved only in the zones core, lab (G-1)" in desk.run("status")[1]
        assert desk.json("status")[1]["tools"][0]["zones"] == ["core", "lab"]

    def test_several_grants_add_up(self, desk: Desk) -> None:
        """Two active grants of one tool cover the zones of both."""
        desk.calls.granted = (grant_view(zones=("none",)), grant_view(id="G-2", zones=("core",)))
        assert "approved outside every zone, and in the zone core" in desk.run("status")[1]

    def test_a_token_names_its_repositories(self, desk: Desk) -> None:
        """`tools TOOL` knows them from the token, without a call."""
        keep(desk.world, TRUST.launch_token(locations=("git.acme.example/core/**",)))
        out = desk.run("tools", "claude")[1]
        assert "only in repositories like git.acme.example/core/**" in out

    @pytest.mark.parametrize("zones", [(), ("none",)])
    @pytest.mark.parametrize("source", [CACHE, SERVICE])
    def test_the_ordinary_one_isnt_worth_a_word(self, source: str, zones: tuple[str, ...]) -> None:
        """Nothing is said where there is nothing to say."""
        standing = Standing(tool="claude", access="approval", state="approved", source=source, zones=zones)
        assert scope_words(standing) == ""

    @pytest.mark.parametrize(
        ("rule", "command"),
        [
            ("outside", 'gatekeeper request claude --reason "…"'),
            ("zone:core", 'gatekeeper request claude --zone core --reason "…"'),
            ("unreadable", "git remote --verbose"),
        ],
    )
    def test_a_repository_outside_is_told_what_is_covered(self, rule: str, command: str) -> None:
        """GK306 names what the approval covers, and the request that would cover this."""
        here = facts(token=token(locations=("git.acme.example/lab/**",)))
        notice = notice_for(Refuse(tool="claude", code="GK306", rule=rule), Scene(facts=here))
        rows = dict(notice.rows)
        assert rows["Do"] == command
        assert "It covers git.acme.example/lab/**." in rows["Why"]


class TestRemedies:
    """What stands behind `Do` can be run as it is."""

    @pytest.mark.parametrize("code", CODES)
    @pytest.mark.parametrize("tool", ["", "claude"])
    def test_no_placeholder_is_left(self, code: str, tool: str) -> None:
        """Whether a tool is known or not; CODE alone is left, which only an operator knows."""
        words = dict(error_notice(GatekeeperError(code, "x"), tool=tool).rows)["Do"].split()
        assert not {"TOOL", "COMMAND", "KEY"} & set(words)

    @pytest.mark.parametrize(
        ("words", "command"),
        [
            (("request", "claude", "--for", "soon"), "gatekeeper request --help"),
            (("check", "claude", "--min-ttl", "soon"), "gatekeeper check --help"),
            (("sync", "--lease", "soon"), "gatekeeper sync --help"),
            (("stauts",), "gatekeeper status --help"),
            (("xyzzy",), "gatekeeper --help"),
        ],
    )
    def test_wrong_arguments_lead_to_the_help_of_their_command(
        self, desk: Desk, words: tuple[str, ...], command: str
    ) -> None:
        """Not to that of a COMMAND."""
        status, _, err = desk.run(*words)
        assert status == 2
        assert f"Do     {command}\n" in err

    def test_a_mistyped_command_names_the_nearest(self, desk: Desk) -> None:
        """Where one is near."""
        assert "Did you mean status?" in desk.run("stauts")[2]
        assert "Did you mean" not in desk.run("xyzzy")[2]

    def test_help_is_a_command_too(self, desk: Desk) -> None:
        """Alone, and before a command."""
        assert desk.run("help") == desk.run("--help")
        assert desk.run("help", "status") == desk.run("status", "--help")

    @pytest.mark.parametrize("code", ["GK307", "GK308", "GK309"])
    def test_asking_again_is_possible(self, code: str) -> None:
        """After a denial, a revocation and an end."""
        rows = dict(notice_for(Refuse(tool="claude", code=code), Scene()).rows)
        assert rows["Do"] == 'gatekeeper request claude --reason "…"'

    def test_signed_out_says_where_the_code_comes_from(self, signed_out: Desk) -> None:
        """In the notice of GK201, and of a login without a code."""
        err = signed_out.run("status")[2]
        assert "gatekeeper login --code CODE" in err
        assert "your operator or IT gives you the code" in err
        assert "your operator or IT gives you the code" in signed_out.run("login")[2].replace(
            "\n         ", " "
        )


class TestRequests:
    """What was asked for, what stands, and what comes next."""

    def test_the_next_step(self, desk: Desk) -> None:
        """After a request, unless it is waited for."""
        out = desk.run("request", "codex", "--reason", REASON)[1]
        assert "Next: gatekeeper requests R-1, or gatekeeper run --wait codex" in out
        assert "Next:" not in desk.run("request", "codex", "--reason", REASON, "--wait")[1]

    @pytest.mark.parametrize(
        "words", [("--reason", "Another reason, long enough"), ("--reason", REASON, "--for", "7d")]
    )
    def test_another_request_while_one_stands(self, desk: Desk, words: tuple[str, ...]) -> None:
        """The standing one is kept, and it is said how to ask anew."""
        desk.calls.recorded = (request_view(), False)
        out = desk.run("request", "codex", *words)[1]
        assert "kept as it is" in out
        assert "gatekeeper requests cancel R-1" in out

    def test_the_same_request_again(self, desk: Desk) -> None:
        """Nothing was lost, so nothing of it is said."""
        desk.calls.recorded = (request_view(), False)
        assert "cancel" not in desk.run("request", "codex", "--reason", REASON, "--for", "30d")[1]

    def test_a_tool_that_is_approved_already(self, desk: Desk) -> None:
        """A word on stderr from what is held here, with no call more; the request is sent all the same."""
        _, _, err = desk.run("request", "claude", "--reason", REASON)
        assert "claude is approved already: G-1 stands until 20" in err
        assert desk.calls.names() == ["create_request"]
        assert "already" not in desk.run("request", "codex", "--reason", REASON)[2]

    def test_unanswered_says_how_long_it_was_waited_for(self, desk: Desk) -> None:
        """The timeout that ended it."""
        desk.calls.answer = request_view()
        out = desk.run("request", "codex", "--reason", REASON, "--wait", "--wait-timeout", "2s")[1]
        assert "still unanswered after 2 s" in out


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both streams a plain terminal of eighty columns."""
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    for name, value in (("COLUMNS", "80"), ("TERM", "dumb"), ("TZ", "UTC")):
        monkeypatch.setenv(name, value)


class TestTables:
    """Eighty columns are enough."""

    def test_status_stands_on_one_line_a_tool(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """With its end, its renewal and its grant."""
        on_a_terminal(monkeypatch)
        desk.calls.granted = (grant_view(),)
        out = desk.run("status")[1]
        line = next(line for line in out.splitlines() if line.startswith("claude"))
        assert "2027-02-14 (in 30 d)" in line
        assert "G-1" in line
        assert max(len(line) for line in out.splitlines() if "(in" in line and "approv" in line) <= 80
        assert "GRANT" in out

    def test_check_says_its_verdict_once_on_a_terminal(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The notice of a refusal, the line of a launch; exits as ever."""
        on_a_terminal(monkeypatch)
        status, out, err = desk.run("check", "claude", "codex")
        assert status == 3
        assert [line.split()[1] for line in out.splitlines()] == ["claude"]
        assert err.count("GK301\n") >= 1

    def test_moments(self) -> None:
        """The time within a day, the date beyond it, before and after."""
        assert render_brief(NOW + 30 * DAY, now=NOW).endswith("(in 30 d)")
        assert render_brief(NOW + 30 * DAY, now=NOW)[4] == "-"
        assert render_brief(NOW + HOUR, now=NOW)[2] == ":"
        assert render_brief(NOW - HOUR, now=NOW).endswith("(1 h ago)")
        assert render_brief(10**18, now=NOW) == "?"


class TestSync:
    """A lease that is shorter than was asked for says so."""

    @pytest.mark.parametrize(("lease", "told"), [("72h", True), ("24h", False), ("1h", False)])
    def test_the_policys_limit(self, desk: Desk, lease: str, told: bool) -> None:  # noqa: FBT001
        """Only where the policy gave less."""
        desk.calls.renewals = {"claude": Renewed()}
        keep(desk.world, TRUST.launch_token(issued_at=NOW, expires_at=NOW + 24 * HOUR))
        out = desk.run("sync", "--lease", lease)[1]
        assert ("the policy allows 24 h" in out) == told


class TestConfiguration:
    """A workstation that nobody configured."""

    @pytest.mark.parametrize("service", ["", "https://gk.acme.example"])
    def test_run_and_the_others_say_the_same(
        self, make_desk: Callable[[FakeWorld], Desk], capsys: pytest.CaptureFixture[str], service: str
    ) -> None:
        """Whom to ask, for what, and which file to put it into."""
        world = FakeWorld()
        if service:
            world.variables["GATEKEEPER_SERVICE"] = service
        desk = make_desk(world)
        told = desk.run("status")[2]
        code = "GK104" if service else "GK101"
        assert code in told
        assert "Ask your IT for the two lines (service, trust_roots)" in " ".join(told.split())
        assert report(world, GatekeeperError(code, "x"), Invocation(tool="claude")) == 125
        by_run = " ".join(capsys.readouterr().err.split())
        what = " ".join(told.split()).partition("What")[2].partition(" Do ")[0]
        assert ".config/gatekeeper/config.toml." in what
        assert what in by_run

    def test_another_error_of_the_configuration_keeps_its_words(
        self, desk: Desk, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where nothing is missing, what was found is told."""
        report(desk.world, GatekeeperError("GK101", "what was found"), Invocation(tool="claude"))
        assert "what was found" in capsys.readouterr().err
