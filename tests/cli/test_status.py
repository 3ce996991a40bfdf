"""`status` and `tools`: the truth of the service where it answers, of this workstation where it doesn't."""

from __future__ import annotations

import pytest
from tests.cli.conftest import DAY, Desk, grant_view, keep_catalogue, request_view
from tests.fakes.facts import NOW
from tests.fakes.workstation import PROFILE, TRUST, keep

from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.errors import GatekeeperError, TrustError


class TestStatus:
    """Who, which device, which service, every tool."""

    def test_signed_in(self, desk: Desk) -> None:
        """Exit 0, with the service's word for every tool."""
        desk.calls.granted = (grant_view(),)
        desk.calls.standing_requests = (request_view(),)
        status, out, err = desk.run("status")
        assert (status, err) == (0, "")
        assert "ada@acme.example on d_1" in out
        assert "1 root key pinned by managed /etc/gatekeeper/managed.json" in out
        table = {line.split()[0]: line for line in out.splitlines() if line}
        assert "approved" in table["claude"]
        assert table["claude"].endswith("service")
        assert "pending" in table["codex"]
        assert "R-1" in table["codex"]

    def test_json(self, desk: Desk) -> None:
        """The members of the contract, with times as RFC 3339 UTC."""
        desk.calls.granted = (grant_view(),)
        status, found = desk.json("status")
        assert status == 0
        assert {"schema", "subject", "device", "service", "trust", "tools"} <= set(found)
        assert found["trust"]["root_version"] == 1
        claude = found["tools"][0]
        assert {
            *("tool", "access", "state", "grant", "grant_ends", "token_ends", "renew_by", "source")
        } <= set(claude)
        assert claude["grant_ends"] == "2027-02-14T08:00:00Z"
        assert claude["source"] == "service"

    def test_a_revocation_says_by_whom_and_why(self, desk: Desk) -> None:
        """In words under the table, and in JSON."""
        desk.calls.granted = (
            grant_view(state="revoked", ended_by="sam@acme.example", ended_reason="the pilot\x1b[2J is over"),
        )
        _, out, _ = desk.run("status")
        assert "claude: revoked by sam@acme.example: the pilot\\x1b[2J is over (G-1)" in out
        assert "\x1b" not in out
        _, found = desk.json("status")
        assert found["tools"][0]["by"] == "sam@acme.example"

    def test_without_the_service_it_shows_what_is_here_and_says_so(self, desk: Desk) -> None:
        """Exit 0: being offline is no sign-out."""
        desk.calls.granted = ServiceUnreachable("GK601", "connection refused")
        status, out, _ = desk.run("status")
        assert status == 0
        assert "not reached: connection refused; this is what is held here" in out
        assert "cache" in out
        _, found = desk.json("status")
        assert found["source"] == "cache"
        assert found["error"]["code"] == "GK601"

    @pytest.mark.parametrize("by_variable", [False, True])
    def test_offline_makes_no_call(self, desk: Desk, by_variable: bool) -> None:  # noqa: FBT001
        """The option and the variable alike."""
        if by_variable:
            desk.world.variables["GATEKEEPER_OFFLINE"] = "1"
            assert desk.run("status")[0] == 0
        else:
            assert desk.run("status", "--offline")[0] == 0
        assert desk.calls.asked == []

    def test_a_recent_answer_serves_again(self, desk: Desk) -> None:
        """The second look within minutes makes no call; one after them asks again."""
        desk.run("status")
        desk.run("status")
        assert desk.calls.names() == ["standing"]
        desk.world.at += 301
        desk.run("status")
        assert desk.calls.names() == ["standing", "standing"]

    def test_an_act_or_an_open_request_asks_anew(self, desk: Desk) -> None:
        """What was asked for here, or still waits, is looked up each time."""
        desk.run("status")
        desk.run("request", "codex", "--reason", "Because it is needed here")
        desk.run("status")
        assert desk.calls.names() == ["standing", "create_request", "standing"]
        desk.world.at += 301
        desk.calls.standing_requests = (request_view(id="R-9", state="pending"),)
        desk.run("status")
        desk.run("status")
        assert desk.calls.names()[-2:] == ["standing", "standing"]

    def test_signed_out(self, signed_out: Desk) -> None:
        """Exit 4 with the way in; the service is not asked as nobody."""
        status, out, err = signed_out.run("status")
        assert status == 4
        assert "https://gk.acme.example" in out
        assert "GK201" in err
        assert "gatekeeper login" in err
        assert signed_out.calls.asked == []
        status, found = signed_out.json("status")
        assert status == 4
        assert found["subject"] is None
        assert found["error"]["code"] == "GK201"

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (ServiceRefused("GK202", "the device was revoked"), 4),
            (ServiceRefused("GK299", "what a later service says"), 6),
            (GatekeeperError("GK201", "nobody is signed in"), 4),
            (TrustError("GK501", "no key"), 7),
        ],
    )
    def test_a_sign_in_that_the_service_ended(self, desk: Desk, error: Exception, status: int) -> None:
        """The state alone doesn't make anyone signed in."""
        desk.calls.granted = error
        assert desk.run("status")[0] == status

    def test_a_copied_state_belongs_to_nobody_here(self, desk: Desk) -> None:
        """GK204, and nothing of it is shown as approved."""
        desk.world.machine = "another"
        status, out, err = desk.run("status")
        assert status == 4
        assert "GK204" in err
        assert "approved" not in out

    def test_a_forged_token_is_not_shown(self, desk: Desk) -> None:
        """What doesn't verify is absent, here as in a launch."""
        good = TRUST.launch_token()
        keep(desk.world, good[:-6] + b"AAAAAA")
        _, out, _ = desk.run("status", "--offline")
        assert "G-1" not in out

    def test_a_turned_back_clock_proves_nothing(self, desk: Desk) -> None:
        """Time is the latest seen."""
        from gatekeeper.workstation.state import save_high_water

        save_high_water(desk.world, PROFILE, NOW + 2 * DAY)
        _, out, _ = desk.run("status", "--offline")
        assert "unproven" in out


class TestTools:
    """The catalogue."""

    def test_lists_access_versions_alternatives_and_what_is_installed(self, desk: Desk) -> None:
        """From the state, without a call and without starting anything."""
        status, out, _ = desk.run("tools")
        assert status == 0
        claude = next(line for line in out.splitlines() if line.startswith("claude"))
        for word in ("approval", "approved", ">=2.1,<3", "2.1.3", "house"):
            assert word in claude
        assert desk.calls.asked == []
        assert not {"execute", "detach"} & set(desk.world.names_of_calls())

    def test_one_tool_in_full(self, desk: Desk) -> None:
        """By id."""
        _, out, _ = desk.run("tools", "claude")
        assert "npm @vendor/claude >=2.1,<3" in out
        assert "2.1.3 /usr/bin/claude" in out
        assert "#ai-approvals" in out

    def test_json(self, desk: Desk) -> None:
        """Every tool with every member."""
        status, found = desk.json("tools")
        assert status == 0
        assert [one["tool"] for one in found["tools"]] == ["claude", "codex", "house", "crush"]
        assert found["tools"][0]["installed"] == {"version": "2.1.3", "path": "/usr/bin/claude"}
        assert found["tools"][1]["installed"] is None
        assert found["expires_at"] == "2027-01-16T07:00:00Z"

    def test_a_tool_that_is_not_there(self, desk: Desk) -> None:
        """GK302, exit 3; a path is GK103, exit 2."""
        assert desk.run("tools", "notclaude")[0] == 3
        assert desk.run("tools", "./claude")[0] == 2

    def test_is_fetched_where_none_is_held_or_it_is_over(self, desk: Desk) -> None:
        """And shown as fetched."""
        keep_catalogue(desk.world, expires_at=NOW - 1, tools=())
        _, out, _ = desk.run("tools")
        assert desk.calls.names() == ["fetch_catalogue"]
        assert "codex" in out

    def test_an_old_one_is_better_than_none_and_is_called_old(self, desk: Desk) -> None:
        """Without the service."""
        keep_catalogue(desk.world, expires_at=NOW - 1)
        desk.calls.catalogue_error = ServiceUnreachable("GK601", "refused")
        status, out, err = desk.run("tools")
        assert status == 0
        assert "codex" in out
        assert "out of date" in err

    def test_none_at_all_is_an_error(self, desk: Desk) -> None:
        """GK601 when offline; the service's own error when it was asked."""
        del desk.world.files[f"{PROFILE}/catalogue.json"]
        assert desk.run("tools", "--offline")[0] == 6
        desk.calls.catalogue_error = ServiceRefused("GK202", "revoked")
        assert desk.run("tools")[0] == 4

    def test_another_persons_catalogue_is_none(self, desk: Desk) -> None:
        """It was made for one subject."""
        keep_catalogue(desk.world, subject="u_2")
        assert desk.run("tools", "--offline")[0] == 6

    def test_signed_out(self, signed_out: Desk) -> None:
        """Exit 4."""
        assert signed_out.run("tools")[0] == 4
