"""`check`: the decision of `run`, without a launch, as text, as JSON and as an exit status."""

from __future__ import annotations

from itertools import permutations

import pytest
from tests.cli.conftest import DAY, Desk
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import TRUST, keep

from gatekeeper.cli.check import exit_of
from gatekeeper.codes import EXIT_PRECEDENCE
from gatekeeper.decision.obstacles import Refused, Unreachable, Untrusted
from gatekeeper.documents.api import Problem


class TestVerdicts:
    """One tool."""

    def test_an_approved_tool_is_allowed_without_a_call(self, desk: Desk) -> None:
        """Exit 0, one line, nothing on stderr, and no network while the token is fresh."""
        status, out, err = desk.run("check", "claude")
        assert (status, err) == (0, "")
        assert out.startswith("✓ claude  approved until ")
        assert "2.1.3 /usr/bin/claude" in out
        assert desk.calls.asked == []

    def test_nothing_is_ever_launched(self, desk: Desk) -> None:
        """No tool's process, whatever the verdict."""
        desk.run("check", "claude", "codex")
        assert "execute" not in desk.world.names_of_calls()
        assert "detach" not in desk.world.names_of_calls()

    def test_a_tool_that_is_not_approved(self, desk: Desk) -> None:
        """Exit 3; the verdict on stdout, the notice on stderr, in policy's words."""
        status, out, err = desk.run("check", "codex")
        assert status == 3
        assert out == "✗ codex  not approved  GK301\n"
        assert "codex would not start: it isn't approved for you." in err
        assert "AI-07: coding agents need security approval." in err
        assert "approved for you today: claude, house" in err

    def test_a_renewal_that_brings_a_token_is_believed(self, desk: Desk) -> None:
        """A stale token is renewed first, and the new one decides."""
        desk.world.at = NOW + HOUR
        desk.calls.issued["claude"] = TRUST.launch_token(issued_at=NOW + HOUR, expires_at=NOW + DAY)
        status, _, _ = desk.run("check", "claude")
        assert status == 0
        assert desk.calls.asked == [("renew", "claude")]

    def test_the_service_is_asked_by_the_tools_id(self, desk: Desk) -> None:
        """An executable's name is looked up in the catalogue first."""
        from tests.cli.conftest import catalogue, keep_catalogue

        tools = tuple(
            tool.replace(executables=("codex", "codex-cli")) if tool.id == "codex" else tool
            for tool in catalogue().tools
        )
        keep_catalogue(desk.world, tools=tools)
        desk.run("check", "codex-cli")
        assert desk.calls.asked == [("renew", "codex")]

    @pytest.mark.parametrize(
        ("renewal", "status", "code"),
        [
            (Unreachable(code="GK601", detail="refused"), 6, "GK601"),
            (Untrusted(code="GK501", detail="no key"), 7, "GK501"),
            (Refused(code="GK201"), 4, "GK201"),
            (
                Refused(code="GK401", problem=Problem(code="GK401", status=403, title="x", request="R-1")),
                5,
                "GK401",
            ),
            (Refused(code="GK302"), 3, "GK302"),
        ],
    )
    def test_each_outcome_has_its_exit_status(
        self, desk: Desk, renewal: Refused | Unreachable | Untrusted, status: int, code: str
    ) -> None:
        """As the contract's table says, and the same in JSON."""
        desk.calls.renewals["codex"] = renewal
        assert desk.run("check", "codex")[0] == status
        given, found = desk.json("check", "codex")
        assert given == found["exit"] == status
        assert found["results"][0]["code"] == code

    def test_an_unreachable_service_does_not_take_an_unexpired_token_away(self, desk: Desk) -> None:
        """Allowed until the lease ends, with one line on stderr."""
        desk.world.at = NOW + HOUR
        desk.calls.renewals["claude"] = Unreachable(code="GK601", detail="timed out")
        status, out, err = desk.run("check", "claude")
        assert status == 0
        assert out.startswith("✓ claude")
        assert err.count("\n") == 1
        assert err.rstrip().endswith("GK601")

    def test_offline_makes_no_call(self, desk: Desk) -> None:
        """Not even where a renewal is due."""
        status, _, _ = desk.run("check", "codex", "--offline")
        assert status == 6
        assert desk.calls.asked == []

    def test_a_tool_that_is_not_installed(self, desk: Desk) -> None:
        """Exit 8, after the policy was asked."""
        desk.world.variables["PATH"] = "/nowhere"
        assert desk.run("check", "claude")[0] == 8


class TestJson:
    """What programs get."""

    def test_is_one_object_with_every_member(self, desk: Desk) -> None:
        """The verdict of the contract, times as RFC 3339 UTC, and stdout holds nothing else."""
        status, found = desk.json("check", "claude")
        assert status == 0
        assert found["schema"] == 1
        assert set(found) == {"schema", "results", "exit"}
        (verdict,) = found["results"]
        assert set(verdict) == {
            *("schema", "code", "decision", "tool", "version", "path", "reason", "rule", "request_id"),
            *("request_url", "alternatives", "expires_at", "ref", "exit"),
        }
        assert verdict["decision"] == "allow"
        assert verdict["expires_at"] == "2027-01-16T07:59:00Z"

    def test_a_notice_has_no_place_there(self, desk: Desk) -> None:
        """A refusal in JSON says everything in JSON."""
        status, out, err = desk.run("check", "codex", "--format", "json")
        assert status == 3
        assert out.startswith("{")
        assert err == ""

    def test_hostile_words_stay_escaped(self, desk: Desk) -> None:
        """No byte beyond ASCII, no control."""
        said = Problem(code="GK307", status=403, title="x", by="sam\x1b[2J", reason="\u202eover")
        desk.calls.renewals["codex"] = Refused(code="GK307", problem=said)
        _, out, _ = desk.run("check", "codex", "--json")
        assert out.isascii()
        assert "\x1b" not in out


class TestLeastTime:
    """`--min-ttl`."""

    def test_measures_the_grants_end_not_the_tokens(self, desk: Desk) -> None:
        """A token of 24 hours under a grant of 30 days lasts 30 days."""
        assert desk.run("check", "claude", "--min-ttl", "20d")[0] == 0

    def test_too_short_is_a_refusal(self, desk: Desk) -> None:
        """Exit 3, and how long is left."""
        status, out, err = desk.run("check", "claude", "--min-ttl", "60d")
        assert status == 3
        assert out == "✗ claude  ends too soon  GK308\n"
        assert "ends in 30 d, sooner than the 60 d" in err
        given, found = desk.json("check", "claude", "--min-ttl", "60d")
        assert given == found["results"][0]["exit"] == 3
        assert found["results"][0]["decision"] == "refuse"

    def test_an_open_tool_has_no_end(self, desk: Desk) -> None:
        """There is no grant to end."""
        keep(desk.world, TRUST.launch_token(grant="", grant_ends=None))
        assert desk.run("check", "claude", "--min-ttl", "3650d")[0] == 0

    @pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2w", "1e3h", "٣h", "99999999999h"])
    def test_what_is_no_time_is_a_usage_error(self, desk: Desk, text: str) -> None:
        """Exit 2. An empty one too: a pipeline whose variable is missing must not check less."""
        assert desk.run("check", "claude", "--min-ttl", text)[0] == 2


class TestUsage:
    """What is not a tool, not a format, not configured."""

    @pytest.mark.parametrize(
        "word", ["./claude", "/usr/bin/claude", "../claude", "a b", "", "clau\x1bde", "x" * 65]
    )
    def test_a_path_is_refused_as_such(self, desk: Desk, word: str) -> None:
        """GK103, exit 2, and nothing was asked."""
        status, out, err = desk.run("check", "--", word)
        assert (status, out) == (2, "")
        assert "GK103" in err
        assert desk.calls.asked == []

    def test_other_formats_are_named_when_refused(self, desk: Desk) -> None:
        """GK100 lists what there is."""
        status, _, err = desk.run("check", "claude", "--format", "sarif")
        assert status == 2
        assert "text, json" in err

    def test_a_service_without_pins_is_never_asked(self, desk: Desk) -> None:
        """GK104: no trust on first use."""
        desk.world.files.pop("/etc/gatekeeper/managed.json")
        desk.world.variables["GATEKEEPER_SERVICE"] = "https://gk.acme.example"
        status, _, err = desk.run("check", "claude")
        assert status == 7
        assert "GK104" in err
        assert desk.calls.asked == []

    def test_a_copied_state_launches_nothing(self, desk: Desk) -> None:
        """GK204, exit 4."""
        desk.world.machine = "another machine"
        status, _, err = desk.run("check", "claude")
        assert status == 4
        assert "GK204" in err


class TestSeveral:
    """Several tools, one exit status."""

    def test_by_precedence(self, desk: Desk) -> None:
        """The verdicts in the order that was asked for; the exit by the table."""
        desk.calls.renewals["codex"] = Unreachable(code="GK601", detail="x")
        status, found = desk.json("check", "claude", "codex", "crush")
        assert [one["tool"] for one in found["results"]] == ["claude", "codex", "crush"]
        assert [one["exit"] for one in found["results"]] == [0, 6, 3]
        assert status == 3

    @pytest.mark.parametrize("first", EXIT_PRECEDENCE)
    def test_order_of_tools_never_matters(self, first: int) -> None:
        """Any order of the same statuses gives the same."""
        rest = EXIT_PRECEDENCE[EXIT_PRECEDENCE.index(first) :]
        for order in permutations([0, *rest[:4]]):
            assert exit_of(list(order)) == first

    def test_all_allowed_is_zero(self) -> None:
        """And so is nothing at all."""
        assert exit_of([0, 0]) == exit_of([]) == 0
