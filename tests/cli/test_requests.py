"""`request` and `requests`: asking is harmless to repeat, and waiting is harmless to stop."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Desk, request_view

from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.documents.api import NewRequest, Problem


def sent(desk: Desk) -> NewRequest:
    """Return the request that was sent."""
    found: NewRequest = next(call[1] for call in desk.calls.asked if call[0] == "create_request")
    return found


class TestRequest:
    """Asking."""

    def test_is_recorded(self, desk: Desk) -> None:
        """Exit 0 with the id and the link; everything that was said is sent."""
        status, out, _ = desk.run(
            *("request", "codex", "--reason", "Refactor", "--for", "30d", "--ticket", "B-1"),
            *("--zone", "a", "--zone", "b"),
        )
        assert status == 0
        assert "R-1" in out
        assert "https://gk.acme.example/requests/R-1" in out
        assert sent(desk) == NewRequest(
            tool="codex", reason="Refactor", duration="30d", zones=("a", "b"), ticket="B-1"
        )

    def test_the_same_one_stands_already(self, desk: Desk) -> None:
        """Exit 0 all the same, and it says so."""
        desk.calls.recorded = (request_view(), False)
        status, out, _ = desk.run("request", "codex", "--reason", "x")
        assert status == 0
        assert "R-1 stands already" in out

    def test_a_lost_answer_is_asked_for_again_under_the_same_key(self, desk: Desk) -> None:
        """One key for one command, so that a repetition can't make two requests; each command has its own."""
        desk.calls.lost_answers = 1
        assert desk.run("request", "codex", "--reason", "x")[0] == 0
        assert desk.run("request", "codex", "--reason", "x")[0] == 0
        keys = [call[2] for call in desk.calls.asked if call[0] == "create_request"]
        assert len(keys) == 3
        assert keys[0] == keys[1] != keys[2]

    def test_an_unreachable_service(self, desk: Desk) -> None:
        """Exit 6."""
        desk.calls.lost_answers = 9
        assert desk.run("request", "codex", "--reason", "x")[0] == 6

    def test_json(self, desk: Desk) -> None:
        """The contract's members."""
        status, found = desk.json("request", "codex", "--reason", "x")
        assert status == 0
        assert {"schema", "id", "state", "url", "place"} <= set(found)
        assert found["created"] is True

    def test_without_a_reason_nothing_is_asked(self, desk: Desk) -> None:
        """Nobody is there to be asked, so it is a usage error with the command to type."""
        status, _, err = desk.run("request", "codex")
        assert status == 2
        assert 'gatekeeper request codex --reason "…"' in err
        assert desk.calls.asked == []

    @pytest.mark.parametrize("text", ["x", "30", "-3d"])
    def test_a_bad_duration_is_not_sent(self, desk: Desk, text: str) -> None:
        """Exit 2."""
        assert desk.run("request", "codex", "--reason", "x", "--for", text)[0] == 2
        assert desk.calls.asked == []

    def test_a_refusal_of_the_service_is_quoted(self, desk: Desk) -> None:
        """In JSON on stdout, in words on stderr, with its exit status."""
        problem = Problem(
            code="GK404", status=422, title="reason too short", detail="At least 20 characters."
        )

        def refuse(*_: object, **__: object) -> None:
            raise ServiceRefused("GK404", "At least 20 characters.", facts={"problem": problem})

        desk.calls.create_request = refuse  # type: ignore[method-assign, assignment]
        status, out, err = desk.run("request", "codex", "--reason", "x")
        assert (status, out) == (2, "")
        assert "At least 20 characters." in err
        status, found = desk.json("request", "codex", "--reason", "x")
        assert (status, found["code"], found["detail"]) == (2, "GK404", "At least 20 characters.")

    def test_signed_out(self, signed_out: Desk) -> None:
        """Exit 4 before anything is sent."""
        assert signed_out.run("request", "codex", "--reason", "x")[0] == 4
        assert signed_out.calls.asked == []


class TestWaiting:
    """`--wait`."""

    @pytest.mark.parametrize(
        ("state", "status"),
        [("approved", 0), ("denied", 3), ("pending", 5), ("question", 5), ("cancelled", 3), ("lapsed", 3)],
    )
    def test_exits_by_the_answer(self, desk: Desk, state: str, status: int) -> None:
        """0 approved, 3 denied, 5 unanswered; in words and in JSON alike."""
        desk.calls.answer = request_view(
            state=state, decided_by="sam@acme.example", decision_reason="because"
        )
        given, out, _ = desk.run("request", "codex", "--reason", "x", "--wait", "--wait-timeout", "2h")
        assert given == status
        assert ("wait_for", "R-1", 7_200) in desk.calls.asked
        if state == "denied":
            assert "R-1 was denied by sam@acme.example: because." in out
        given, found = desk.json("request", "codex", "--reason", "x", "--wait")
        assert (given, found["state"]) == (status, state)

    def test_what_is_decided_already_is_not_waited_for(self, desk: Desk) -> None:
        """The service answered with a request that is over."""
        desk.calls.recorded = (request_view(state="approved"), False)
        assert desk.run("request", "codex", "--reason", "x", "--wait")[0] == 0
        assert "wait_for" not in desk.calls.names()

    def test_interrupting_keeps_the_request(self, desk: Desk) -> None:
        """Exit 130, its id, and how to look at it; nothing is cancelled."""
        desk.calls.answer = KeyboardInterrupt()
        status, _, err = desk.run("request", "codex", "--reason", "x", "--wait")
        assert status == 130
        assert "R-1 stays" in err
        assert "gatekeeper requests R-1" in err
        assert "cancel_request" not in desk.calls.names()


class TestRequests:
    """Looking, and withdrawing."""

    def test_lists_the_newest_first(self, desk: Desk) -> None:
        """With whoever answered."""
        desk.calls.standing_requests = (
            request_view(),
            request_view(id="R-2", state="denied", decided_by="sam@acme.example", decision_reason="no"),
        )
        status, out, _ = desk.run("requests")
        assert status == 0
        assert [line.split()[0] for line in out.splitlines()] == ["ID", "R-2", "R-1"]
        assert "sam@acme.example: no" in out
        _, found = desk.json("requests")
        assert [one["id"] for one in found["requests"]] == ["R-2", "R-1"]

    def test_shows_one(self, desk: Desk) -> None:
        """However its id is written."""
        status, out, _ = desk.run("requests", "r-7")
        assert status == 0
        assert desk.calls.asked == [("request", "R-7")]
        assert "Refactor the billing service" in out

    def test_cancels_one(self, desk: Desk) -> None:
        """And says what became of it."""
        status, out, _ = desk.run("requests", "cancel", "R-7")
        assert (status, out) == (0, "✓ R-7 (codex) is cancelled.\n")

    @pytest.mark.parametrize(
        "words", [("cancel",), ("R-1", "R-2"), ("cancel", "x"), ("../../v1/me",), ("R-",), ("R-\u0661",)]
    )
    def test_an_id_is_an_id(self, desk: Desk, words: tuple[str, ...]) -> None:
        """Exit 2: it becomes part of a path, so nothing else gets there."""
        assert desk.run("requests", *words)[0] == 2
        assert desk.calls.asked == []

    def test_unreachable(self, desk: Desk) -> None:
        """Exit 6, in JSON as an error object."""
        desk.calls.standing_requests = ServiceUnreachable("GK601", "refused")
        status, found = desk.json("requests")
        assert (status, found["code"]) == (6, "GK601")


class TestForOthers:
    """Teams and workloads."""

    def test_a_team_is_named(self, desk: Desk) -> None:
        """What was said is sent, and whom it is for is shown."""
        desk.calls.recorded = (
            request_view(
                subject_name="group:web (2)",
                requester_name="ada@acme.example",
                members=("gus@acme.example", "hal@acme.example"),
                waits_for=("1 of security", "the manager"),
                notes=("The service knows no manager of hal@acme.example.",),
            ),
            True,
        )
        status, out, _ = desk.run("request", "codex", "--reason", "x", "--for-group", "web")
        assert (status, sent(desk).group) == (0, "web")
        for words in ("gus@acme.example", "Waits for: 1 of security, the manager", "knows no manager"):
            assert words in out

    @pytest.mark.parametrize(
        ("options", "members"),
        [
            (["--for-subject", "a@x", "--for-subject", "b@x"], {"subjects": ("a@x", "b@x")}),
            (["--for-workload", "ci:acme/web"], {"workload": "ci:acme/web"}),
        ],
    )
    def test_people_and_workloads(self, desk: Desk, options: list[str], members: dict[str, object]) -> None:
        """As they were written."""
        assert desk.run("request", "codex", "--reason", "x", *options)[0] == 0
        assert sent(desk) == NewRequest(tool="codex", reason="x").replace(**members)

    def test_one_of_them(self, desk: Desk) -> None:
        """Two are a usage error, before anything is sent."""
        options = ("--for-group", "web", "--for-workload", "ci:acme/web")
        assert desk.run("request", "codex", "--reason", "x", *options)[0] == 2
        assert desk.calls.asked == []


class TestRenew:
    """`--renew`."""

    def test_takes_the_last_approved_again(self, desk: Desk) -> None:
        """Reason, zones, duration and ticket; what is said anew counts."""
        desk.calls.standing_requests = (
            request_view(id="R-3", state="denied", reason="other"),
            request_view(id="R-2", state="approved", reason="the parser", zones=("a",), ticket="B-1"),
            request_view(id="R-4", tool="claude", state="approved"),
        )
        assert desk.run("request", "codex", "--renew", "--for", "7d")[0] == 0
        assert sent(desk) == NewRequest(
            tool="codex", reason="the parser", duration="7d", zones=("a",), ticket="B-1"
        )

    def test_without_an_earlier_one(self, desk: Desk) -> None:
        """There is nothing to renew, and the command to type is said."""
        status, _, err = desk.run("request", "codex", "--renew")
        assert status == 2
        assert 'gatekeeper request codex --reason "…"' in err


class TestTerms:
    """`--accept-terms`."""

    def test_are_accepted_with_the_request(self, desk: Desk) -> None:
        """The text is shown, and this device signs."""
        desk.calls.recorded = (request_view(terms_needed=True), True)
        _, _, err = desk.run("request", "codex", "--reason", "x", "--accept-terms")
        assert desk.calls.names() == ["create_request", "terms", "accept_terms"]
        assert "Be careful." in err

    def test_are_never_accepted_unasked(self, desk: Desk) -> None:
        """The command to accept them is said, and the request stands."""
        desk.calls.recorded = (request_view(terms_needed=True), True)
        status, _, err = desk.run("request", "codex", "--reason", "x")
        assert status == 0
        assert desk.calls.names() == ["create_request", "terms"]
        assert "gatekeeper request codex --accept-terms" in err

    def test_alone(self, desk: Desk) -> None:
        """Without a reason nothing is asked for."""
        status, found = desk.json("request", "codex", "--accept-terms")
        assert (status, found["terms_accepted"]) == (0, True)
        assert desk.calls.names() == ["terms", "accept_terms"]


class TestOutcomes:
    """What a request has become."""

    def test_a_place_in_the_queue(self, desk: Desk) -> None:
        """Exit 5, with the place."""
        desk.calls.answer = request_view(state="approved", place=3, grant="G-2")
        status, out, _ = desk.run("request", "codex", "--reason", "x", "--wait")
        assert status == 5
        assert "place 3 in the queue" in out
        desk.calls.standing_requests = (desk.calls.answer,)
        assert "place 3 in the queue" in desk.run("requests")[1]

    def test_a_question(self, desk: Desk) -> None:
        """With the command to answer it; the answer is sent."""
        desk.calls.answer = request_view(
            state="question", question="Which service?", question_by="sam@acme.example"
        )
        status, out, _ = desk.run("request", "codex", "--reason", "x", "--wait")
        assert status == 5
        assert "sam@acme.example asks about R-1: Which service?" in out
        assert 'gatekeeper requests reply R-1 "…"' in out
        assert desk.run("requests", "reply", "r-1", "Billing.")[0] == 0
        assert ("reply", "R-1", "Billing.") in desk.calls.asked
        assert desk.run("requests", "reply", "R-1")[0] == 2
