"""The story, step by step, on a real service process and the real `claude` and `codex`.

A step's tests stand on their own, so that one that fails says which step is broken, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e import tracing
from tests.e2e.workplace import REASON, Finished, Service, Workstation, running

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_LONG = "+25h"
A_WHILE = "+20m"
CODE = re.compile(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){3}")


def refused(done: Finished, status: int, code: str) -> None:
    """Hold a refusal to its contract: exit status, code, nothing on stdout, at most 12 lines, no traceback."""
    assert (done.status, done.out) == (status, ""), done
    assert code in done.err, done
    assert "Traceback" not in done.err, done
    assert len(done.err.strip().splitlines()) <= 12, done


class TestStep1TheService:
    """`service init` and `service start`."""

    def test_init_prints_exactly_the_two_configuration_lines(self, command: Path, tmp_path: Path) -> None:
        """stdout is TOML with `service` and `trust_roots` alone, so that it can be redirected into a file."""
        import tomllib

        service = Service(command, tmp_path / "service")
        done = service.init()
        assert done.status == 0, done
        said = tomllib.loads(done.out)
        assert set(said) == {"service", "trust_roots"}
        assert said["service"] == service.issuer
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", said["trust_roots"][0])

    def test_private_keys_are_the_operators_alone(self, own_service: Service) -> None:
        """Nobody else may read what stands in the keys directory."""
        keys = list((own_service.data / "keys").iterdir())
        assert keys
        assert all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in keys)

    def test_a_second_init_changes_nothing(self, own_service: Service) -> None:
        """Keys are never overwritten by repeating a command."""
        before = {path: path.read_bytes() for path in (own_service.data / "keys").iterdir()}
        assert own_service.operate("init", "--issuer", own_service.issuer).status != 0
        assert before == {path: path.read_bytes() for path in (own_service.data / "keys").iterdir()}

    def test_it_serves_in_a_process_of_its_own_and_publishes_its_metadata(self, service: Service) -> None:
        """RFC 8414 metadata names the issuer that the configuration names."""
        address = f"http://127.0.0.1:{service.port}/.well-known/oauth-authorization-server"
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert json.load(answer)["issuer"] == service.issuer
        assert service.process is not None
        assert service.process.pid != os.getpid()

    def test_sigterm_drains_and_ends_well(self, own_service: Service) -> None:
        """SIGTERM is the way to stop it: exit status 0, no traceback in its log."""
        assert own_service.stop() == 0
        assert "Traceback" not in own_service.log


class TestStep2SigningIn:
    """One-time codes and enrolment."""

    def test_the_code_enrols_the_device(self, newcomer: Workstation) -> None:
        """After `login`, `status` knows who this is."""
        done = newcomer.sign_in()
        assert done.status == 0, done
        status = newcomer.gatekeeper("status", "--json")
        assert status.status == 0, status
        assert newcomer.subject in json.dumps(status.json()["subject"])

    def test_an_invite_without_json_prints_the_code(self, service: Service) -> None:
        """The code is what stands on stdout, ready to be passed on."""
        done = service.operate("invite", service.next_subject(), "--group", "dev")
        assert done.status == 0, done
        assert CODE.search(done.out), done

    def test_a_used_code_is_refused(
        self, service: Service, workstation_for: Callable[[Service], Workstation]
    ) -> None:
        """A code signs in one device."""
        first, second = workstation_for(service), workstation_for(service)
        code = service.invite(first.subject)
        assert first.gatekeeper("login", "--code", code).status == 0
        done = second.gatekeeper("login", "--code", code)
        assert (done.status, "GK203" in done.err) == (4, True), done

    def test_an_expired_code_is_refused(
        self, own_service: Service, workstation_for: Callable[[Service], Workstation]
    ) -> None:
        """A code lives for a limited time: a month later the service takes it no more."""
        newcomer = workstation_for(own_service)
        code = own_service.invite(newcomer.subject)
        own_service.stop()
        own_service.later = "+30d"
        own_service.start()
        done = newcomer.gatekeeper("login", "--code", code, later="+30d")
        assert (done.status, "GK203" in done.err) == (4, True), done

    def test_guessing_is_rate_limited(
        self, own_service: Service, workstation_for: Callable[[Service], Workstation]
    ) -> None:
        """After a number of wrong codes the service looks at no further one for a while, a right one included."""
        guesser = workstation_for(own_service)
        codes = set()
        for number in range(30):
            done = guesser.gatekeeper("login", "--code", f"AAAA-AAAA-AAAA-{number + 1000:04d}")
            assert done.status in (4, 6), done
            codes |= set(re.findall(r"GK\d{3}", done.err))
            if codes & {"GK206", "GK603"}:
                break
        assert "GK203" in codes
        assert codes & {"GK206", "GK603"}

    def test_nothing_is_trusted_on_first_use(self, newcomer: Workstation) -> None:
        """Without a pinned root, `login` refuses before it sends the code."""
        newcomer.config_file.write_text(f'service = "{newcomer.service.issuer}"\n')
        done = newcomer.sign_in()
        assert (done.status, "GK104" in done.err) == (7, True), done

    def test_secrets_and_state_are_the_persons_alone(self, ada: Workstation) -> None:
        """Everything below the home is 0600 in 0700 directories of gatekeeper's own."""
        assert ada.state.is_dir()
        for place in (ada.state, ada.home / ".local" / "share" / "gatekeeper"):
            for path in [place, *place.rglob("*")]:
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), path


class TestStep3TheRefusal:
    """Nothing runs without an approval."""

    @pytest.mark.parametrize("tool", ["claude", "codex"])
    def test_refused_and_never_started(
        self, ada: Workstation, npm_tools: Path, tmp_path: Path, tool: str
    ) -> None:
        """Exit 126, GK301, and the kernel saw no start of the tool."""
        log = tmp_path / "trace"
        done = ada.gatekeeper(
            "run", tool, "--", "--version", before=tracing.traced(log, what="execve,execveat")
        )
        refused(done, 126, "GK301")
        assert f"gatekeeper request {tool}" in done.err
        programs = tracing.started(log)
        assert programs, "strace saw nothing at all, so this test shows nothing"
        assert os.path.realpath(npm_tools / tool) not in programs

    def test_the_trace_would_have_shown_it(self, ada: Workstation, npm_tools: Path, tmp_path: Path) -> None:
        """The same trace of an approved run does show the tool: the test above can fail."""
        ada.get_approved("claude")
        log = tmp_path / "trace"
        done = ada.gatekeeper(
            "run", "claude", "--version", before=tracing.traced(log, what="execve,execveat")
        )
        assert done.status == 0, done
        assert os.path.realpath(npm_tools / "claude") in tracing.started(log)

    def test_signed_out_is_not_refused_but_undecided(self, newcomer: Workstation) -> None:
        """Who never signed in reads that, not a denial."""
        refused(newcomer.gatekeeper("run", "claude", "--version"), 125, "GK201")

    def test_the_words_do_not_accuse(self, ada: Workstation) -> None:
        """A refusal is about an approval; it never sounds like malware."""
        said = ada.gatekeeper("run", "claude", "--version").err.lower()
        assert not [
            word for word in ("blocked", "violation", "forbidden", "malware", "threat") if word in said
        ]

    def test_an_agent_is_told_to_ask_the_human(self, ada: Workstation) -> None:
        """Under an agent there is one more line."""
        done = ada.gatekeeper("run", "codex", "--version", CLAUDECODE="1")
        refused(done, 126, "GK301")
        assert "human" in done.err, done


class TestStep4TheRequest:
    """Asking, and waiting."""

    def test_a_second_request_is_the_first(self, ada: Workstation) -> None:
        """While one is pending, asking again returns it."""
        assert ada.request("claude") == ada.request("claude")

    def test_run_and_check_say_pending(self, ada: Workstation) -> None:
        """126 with GK401 for `run`, 5 for `check`."""
        request = ada.request("claude")
        done = ada.gatekeeper("run", "claude", "--", "--version")
        refused(done, 126, "GK401")
        assert request in done.err
        assert ada.gatekeeper("check", "claude").status == 5

    def test_a_short_reason_is_a_usage_error(self, ada: Workstation) -> None:
        """Policy asks for twenty characters."""
        done = ada.gatekeeper("request", "claude", "--reason", "please")
        assert (done.status, "GK404" in done.err) == (2, True), done

    def test_waiting_ends_with_the_approval(self, ada: Workstation) -> None:
        """`--wait` on a terminal waits by long-poll, and ends 0 when it is approved."""
        with ada.terminal(
            "request", "claude", "--reason", REASON, "--wait", "--wait-timeout", "1m"
        ) as terminal:
            request = re.search(r"\bR-\d+\b", terminal.expect("R-"))
            listed = ada.service.operate("review", "list", "--json").json()
            mine = [entry["id"] for entry in listed["requests"] if ada.subject in json.dumps(entry)]
            assert request
            ada.service.approve(mine[0])
            assert terminal.finish() == 0, terminal.screen

    def test_waiting_ends_with_the_denial(self, ada: Workstation) -> None:
        """... and 3 when it is denied, with the reviewer's words."""
        with ada.terminal(
            "request", "claude", "--reason", REASON, "--wait", "--wait-timeout", "1m"
        ) as terminal:
            terminal.expect("R-")
            request = ada.request("claude")
            words = "Not for this repository, please."
            deny = ("review", "deny", request, "--as", "sam@acme.example", "--reason", words)
            done = ada.service.operate(*deny)
            assert done.status == 0, done
            assert terminal.finish() == 3, terminal.screen
        refused_run = ada.gatekeeper("run", "claude", "--version")
        refused(refused_run, 126, "GK309")
        assert words in refused_run.err

    def test_interrupting_the_wait_keeps_the_request(self, ada: Workstation) -> None:
        """Ctrl-C ends the waiting, exit 130, without a traceback; the request stands."""
        with ada.terminal("request", "claude", "--reason", REASON, "--wait") as terminal:
            terminal.expect("R-")
            terminal.type(b"\x03")
            assert terminal.finish() == 130, terminal.screen
            assert "Traceback" not in terminal.screen
        listed = ada.gatekeeper("requests", "--json").json()
        assert [entry["state"] for entry in listed["requests"]] == ["pending"]

    def test_still_unanswered_after_the_wait(self, ada: Workstation) -> None:
        """A wait that ends without an answer exits 5."""
        done = ada.gatekeeper("request", "claude", "--reason", REASON, "--wait", "--wait-timeout", "1s")
        assert done.status == 5, done

    def test_a_cancelled_request_is_gone(self, ada: Workstation) -> None:
        """Who asked may cancel; then nothing is pending."""
        request = ada.request("claude")
        assert ada.gatekeeper("requests", "cancel", request).status == 0
        refused(ada.gatekeeper("run", "claude", "--version"), 126, "GK301")


class TestStep5TheReview:
    """The operator's hand."""

    def test_nobody_approves_their_own(self, ada: Workstation) -> None:
        """... by whatever spelling of the name."""
        request = ada.request("claude")
        for name in (ada.subject, ada.subject.upper()):
            done = ada.service.operate("review", "approve", request, "--as", name)
            assert (done.status, "GK405" in done.err) == (3, True), done
        assert ada.gatekeeper("check", "claude").status == 5

    def test_a_review_may_narrow(self, ada: Workstation) -> None:
        """A shorter duration holds."""
        ada.get_approved("claude", "--for", "1d")
        assert ada.gatekeeper("sync").status == 0
        (mine,) = [t for t in ada.gatekeeper("status", "--json").json()["tools"] if t["tool"] == "claude"]
        assert mine["grant_ends"] < _in_days(2)

    def test_a_review_may_not_widen(self, ada: Workstation) -> None:
        """A longer one is refused, and the request stays pending."""
        request = ada.request("claude")
        done = ada.service.operate("review", "approve", request, "--as", "sam@acme.example", "--for", "60d")
        assert (done.status, "GK410" in done.err) == (2, True), done
        assert ada.gatekeeper("check", "claude").status == 5

    def test_a_decision_is_made_once(self, ada: Workstation) -> None:
        """What was decided can't be decided again."""
        request = ada.request("claude")
        ada.service.approve(request)
        done = ada.service.operate("review", "approve", request, "--as", "sam@acme.example")
        assert (done.status, "GK408" in done.err) == (3, True), done


def _in_days(days: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


class TestStep6TheLaunch:
    """gatekeeper becomes the tool."""

    @pytest.mark.parametrize(("tool", "words"), [("claude", "(Claude Code)"), ("codex", "codex-cli")])
    def test_the_real_tool_runs(self, ada: Workstation, tool: str, words: str) -> None:
        """With and without `--`; stdout is the tool's alone."""
        ada.get_approved(tool)
        first = ada.gatekeeper("run", tool, "--", "--version")
        assert first.status == 0, first
        assert words in first.out
        assert len(first.out.splitlines()) == 1, first
        again = ada.gatekeeper("run", tool, "--version")
        assert (again.status, again.out) == (0, first.out), again

    def test_same_process(self, ada: Workstation) -> None:
        """The tool has the pid that the shell started (execve, no child)."""
        process = subprocess.Popen(
            [str(ada.command), "run", "probe", "pid"],
            env=ada.environment,
            cwd=ada.home / "work",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) == process.pid

    def test_arguments_are_verbatim(self, ada: Workstation) -> None:
        """Everything after TOOL goes to the tool: options, empty strings, a second `--`, bytes that aren't UTF-8."""
        given = ["--reason", "", "--", "a b", "$HOME", "*", "-"]
        done = ada.gatekeeper("run", "probe", "arguments", *given)
        assert done.out.splitlines() == [f"[{argument}]" for argument in given], done

    def test_environment_but_for_what_the_token_says(self, ada: Workstation) -> None:
        """Variables pass; those that the policy unsets are gone, and those that it sets are there."""
        done = ada.gatekeeper("run", "probe", "environment", PROBE_LEAK="1", PROBE_KEPT="kept")
        lines = done.out.splitlines()
        assert "PROBE_KEPT=kept" in lines
        assert "PROBE_SET=by policy" in lines
        assert not [line for line in lines if line.startswith("PROBE_LEAK=")]
        assert not [line for line in lines if "TOKEN" in line], "no secret goes to the tool"

    def test_the_terminal_is_the_tools(self, ada: Workstation) -> None:
        """All three streams are the terminal, and it is the controlling one."""
        with ada.terminal("run", "probe", "terminals") as terminal:
            assert terminal.finish() == 0, terminal.screen
        assert "0 yes\n1 yes\n2 yes\n" in terminal.screen

    def test_pipes_are_the_tools(self, ada: Workstation) -> None:
        """What comes in on stdin goes out on stdout, byte by byte."""
        done = ada.gatekeeper("run", "probe", "copy", stdin="line\n\x00\x01\n")
        assert (done.status, done.out) == (0, "line\n\x00\x01\n"), done

    def test_no_descriptor_leaks(self, ada: Workstation) -> None:
        """The tool holds its three streams, and its own script; no file or socket of ours."""
        done = ada.gatekeeper("run", "probe", "descriptors")
        assert set(done.out.split()) <= {"0", "1", "2", "10", "255"}, done

    @pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127])
    def test_exit_status_is_the_tools(self, ada: Workstation, status: int) -> None:
        """Also where it is one that gatekeeper uses itself; the result file tells them apart."""
        result = ada.home / "result.json"
        done = ada.gatekeeper("run", "--result-file", result, "probe", "exit", str(status))
        assert done.status == status, done
        assert json.loads(result.read_text())["decision"] == "allow"

    def test_the_result_file_of_a_refusal(self, ada: Workstation) -> None:
        """One verdict, written before anything is started."""
        result = ada.home / "result.json"
        refused(ada.gatekeeper("run", "--result-file", result, "claude", "--version"), 126, "GK301")
        verdict = json.loads(result.read_text())
        assert (verdict["decision"], verdict["code"], verdict["exit"]) == ("refuse", "GK301", 126)

    def test_a_result_file_that_cannot_be_written_stops_the_launch(self, ada: Workstation) -> None:
        """Who asked for the verdict gets it, or no launch."""
        assert ada.gatekeeper("run", "probe").status == 0
        done = ada.gatekeeper("run", "--result-file", ada.home / "no-such-directory/result.json", "probe")
        assert (done.status, done.out) == (125, ""), done

    def test_death_by_a_signal_is_the_tools(self, ada: Workstation) -> None:
        """The parent sees the signal itself."""
        for name in ("TERM", "KILL", "SEGV"):
            done = ada.gatekeeper("run", "probe", "die", name)
            assert done.status == -signal.Signals[f"SIG{name}"], done

    def test_a_signal_reaches_the_tool(self, ada: Workstation) -> None:
        """SIGTERM to the pid that was started is the tool's SIGTERM."""
        process = subprocess.Popen(
            [str(ada.command), "run", "probe", "wait"],
            env=ada.environment,
            cwd=ada.home / "work",
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.terminate()
            assert process.stdout.read() == b"terminated\n"
            assert process.wait(timeout=60) == 43

    def test_ctrl_c_is_the_tools(self, ada: Workstation) -> None:
        """Ctrl-C at the terminal is answered by the tool, not by gatekeeper."""
        with ada.terminal("run", "probe", "wait") as terminal:
            terminal.expect("ready")
            terminal.type(b"\x03")
            assert terminal.finish() == 42, terminal.screen
        assert "interrupted" in terminal.screen

    def test_the_tool_is_found_past_shims_and_past_itself(self, ada: Workstation) -> None:
        """A `claude` on PATH that is gatekeeper itself is no tool."""
        ada.get_approved("claude")
        own = ada.home / "own"
        own.mkdir()
        (own / "claude").symlink_to(ada.command)
        done = ada.gatekeeper("run", "claude", "--version", PATH=f"{own}:{ada.environment['PATH']}")
        assert (done.status, "(Claude Code)" in done.out) == (0, True), done
        alone = ada.gatekeeper("run", "claude", "--version", PATH=f"{own}:/usr/bin:/bin")
        assert (alone.status, "GK802" in alone.err) == (125, True), alone


class TestStep7Offline:
    """Two timers: fresh, and the lease."""

    @pytest.mark.parametrize("tool", ["claude", "probe"])
    def test_no_socket_while_fresh(
        self, ada: Workstation, npm_tools: Path, toolbox: Path, tmp_path: Path, tool: str
    ) -> None:
        """From the start until the tool starts, the kernel sees no socket at all."""
        if tool == "claude":
            ada.get_approved(tool)
        assert ada.gatekeeper("run", tool, "--version").status == 0
        log = tmp_path / "trace"
        trace = tracing.traced(log, what="network,execve,execveat")
        done = ada.gatekeeper("run", tool, "--version", before=trace)
        assert done.status == 0, done
        executable = (npm_tools if tool == "claude" else toolbox) / tool
        assert os.path.realpath(executable) in tracing.started(log)
        assert tracing.network_calls(tracing.before_start_of(log, executable)) == []

    def test_the_trace_would_have_shown_a_socket(
        self, ada: Workstation, toolbox: Path, tmp_path: Path
    ) -> None:
        """A first run, which renews, does show sockets in the same trace: the test above can fail."""
        log = tmp_path / "trace"
        trace = tracing.traced(log, what="network,execve,execveat")
        assert ada.gatekeeper("run", "probe", before=trace).status == 0
        assert tracing.network_calls(tracing.before_start_of(log, toolbox / "probe"))

    def test_a_stopped_service_and_a_fresh_token(self, own_ada: Workstation) -> None:
        """It runs, and says nothing."""
        own_ada.get_approved("claude")
        assert own_ada.gatekeeper("run", "claude", "--version").status == 0
        own_ada.service.stop()
        done = own_ada.gatekeeper("run", "claude", "--version")
        assert (done.status, done.err) == (0, ""), done

    def test_a_stopped_service_and_a_stale_token(self, own_ada: Workstation) -> None:
        """It runs until the lease ends, says once that it could not renew, and leaves the service alone for a while."""
        own_ada.get_approved("claude")
        assert own_ada.gatekeeper("run", "claude", "--version").status == 0
        own_ada.service.stop()
        done = own_ada.gatekeeper("run", "claude", "--version", later=A_WHILE)
        assert done.status == 0, done
        assert "(Claude Code)" in done.out
        said = [line for line in done.err.splitlines() if "renew" in line]
        assert len(said) == 1, done
        again = own_ada.gatekeeper("run", "claude", "--version", later=A_WHILE)
        assert (again.status, "renew" in again.err) == (0, False), again

    def test_after_the_lease_it_cannot_decide(self, own_ada: Workstation) -> None:
        """125 and GK601: said as "couldn't decide", not as a denial."""
        own_ada.get_approved("claude")
        assert own_ada.gatekeeper("run", "claude", "--version").status == 0
        own_ada.service.stop()
        done = own_ada.gatekeeper("run", "claude", "--version", later=DAY_LONG)
        refused(done, 125, "GK601")
        assert "approved" not in done.err.splitlines()[0], done
        assert own_ada.gatekeeper("check", "claude", later=DAY_LONG).status == 6

    def test_a_longer_lease_is_fetched_before_a_flight(self, own_ada: Workstation) -> None:
        """`sync --lease 72h` carries over the day after next."""
        own_ada.get_approved("claude")
        done = own_ada.gatekeeper("sync", "--lease", "72h")
        assert done.status == 0, done
        own_ada.service.stop()
        assert own_ada.gatekeeper("run", "claude", "--version", later="+50h").status == 0

    def test_time_turned_back_does_not_extend(self, own_ada: Workstation) -> None:
        """A clock behind the highest time seen: renew first; without the service GK702; with it, all is well again."""
        assert own_ada.gatekeeper("run", "probe", later="+3h").status == 0
        own_ada.service.stop()
        assert own_ada.gatekeeper("run", "probe", later="+6h").status == 0
        refused(own_ada.gatekeeper("run", "probe"), 125, "GK702")
        own_ada.service.start()
        done = own_ada.gatekeeper("sync")
        assert done.status == 0, done
        assert own_ada.gatekeeper("run", "probe").status == 0

    def test_a_stale_token_is_renewed_in_passing(self, ada: Workstation) -> None:
        """With the service there, a stale token costs a renewal and no word."""
        assert ada.gatekeeper("run", "probe").status == 0
        done = ada.gatekeeper("run", "probe", later=A_WHILE)
        assert (done.status, done.err) == (0, ""), done


class TestStep8Revocation:
    """A revocation takes effect at the next renewal."""

    def test_refused_at_the_next_renewal(self, ada: Workstation) -> None:
        """GK307, and `status` says by whom and why."""
        grant = ada.get_approved("claude")
        assert ada.gatekeeper("run", "claude", "--version").status == 0
        why = "The project is finished."
        done = ada.service.operate("review", "revoke", grant, "--as", "sam@acme.example", "--reason", why)
        assert done.status == 0, done
        first = ada.gatekeeper("run", "claude", "--version", later=A_WHILE)
        refused(first, 126, "GK307")
        assert why in first.err
        status = ada.gatekeeper("status")
        assert "sam@acme.example" in status.out, status
        assert why in status.out
        assert "revoked" in status.out

    def test_offline_does_not_bring_it_back(self, ada: Workstation) -> None:
        """The tokens are deleted before the refusal is printed."""
        grant = ada.get_approved("probe-approval")
        assert ada.gatekeeper("run", "probe-approval").status == 0
        revoke = ("review", "revoke", grant, "--as", "sam@acme.example", "--reason", "No longer needed.")
        assert ada.service.operate(*revoke).status == 0
        ada.gatekeeper("sync")
        done = ada.gatekeeper("run", "--offline", "probe-approval")
        assert done.status in (125, 126), done
        assert done.out == ""

    def test_suspended_and_resumed(self, ada: Workstation) -> None:
        """A suspension refuses with a code of its own; resumed, it runs again."""
        grant = ada.get_approved("probe-approval")
        assert ada.gatekeeper("run", "probe-approval").status == 0
        hand = (grant, "--as", "sam@acme.example", "--reason", "A look at the usage.")
        assert ada.service.operate("review", "suspend", *hand).status == 0
        ada.gatekeeper("sync")
        refused(ada.gatekeeper("run", "probe-approval"), 126, "GK403")
        assert ada.service.operate("review", "resume", *hand).status == 0
        ada.gatekeeper("sync")
        assert ada.gatekeeper("run", "probe-approval").status == 0


class TestStep9EverythingElse:
    """Each refusal has its own code and words."""

    def test_an_unknown_tool(self, ada: Workstation) -> None:
        """Not in the catalogue: GK302."""
        refused(ada.gatekeeper("run", "no-such-tool"), 126, "GK302")

    def test_a_tool_of_the_built_in_list_that_the_organisation_does_not_name(self, ada: Workstation) -> None:
        """Known to the world, not in this catalogue: GK302."""
        refused(ada.gatekeeper("run", "aider"), 126, "GK302")

    def test_a_closed_tool(self, ada: Workstation) -> None:
        """GK303, installed or not, and no request is taken for it."""
        refused(ada.gatekeeper("run", "gemini"), 126, "GK303")
        refused(ada.gatekeeper("run", "shut"), 126, "GK303")
        done = ada.gatekeeper("request", "shut", "--reason", REASON)
        assert (done.status, "GK303" in done.err) == (3, True), done

    def test_a_tool_that_is_not_installed(self, ada: Workstation) -> None:
        """127 and GK801, once policy allows it."""
        refused(ada.gatekeeper("run", "nowhere"), 127, "GK801")
        assert ada.gatekeeper("check", "nowhere").status == 8

    def test_policy_is_decided_before_installation(self, ada: Workstation) -> None:
        """Who isn't approved isn't told whether it is installed."""
        refused(ada.gatekeeper("run", "claude", PATH="/usr/bin:/bin"), 126, "GK301")

    def test_a_version_that_is_not_approved(
        self, command: Path, tmp_path: Path, workstation_for: Callable[[Service], Workstation]
    ) -> None:
        """GK304 names what is installed and what is approved."""
        policy = '[tools.codex]\naccess = "open"\nidentity = [{ npm = "@openai/codex", versions = "<0.1" }]\n'
        with running(Service(command, tmp_path / "service", policy)) as service:
            workstation = workstation_for(service)
            assert workstation.sign_in().status == 0
            done = workstation.gatekeeper("run", "codex", "--version")
            assert workstation.gatekeeper("check", "codex").status == 3
        refused(done, 126, "GK304")
        assert "0.169.0" in done.err
        assert "<0.1" in done.err

    def test_other_bytes(self, ada: Workstation) -> None:
        """GK305 where the digest is another."""
        refused(ada.gatekeeper("run", "probe-other"), 126, "GK305")

    def test_bytes_that_changed_since(self, ada: Workstation, toolbox: Path, tmp_path: Path) -> None:
        """A digest is remembered by inode, size and times; an edited file is hashed again."""
        place = tmp_path / "edited"
        place.mkdir()
        shutil.copy2(toolbox / "probe", place / "probe")
        path = f"{place}:{ada.environment['PATH']}"
        assert ada.gatekeeper("run", "probe", PATH=path).status == 0
        times = (place / "probe").stat()
        edited = (place / "probe").read_bytes().replace(b"probe ran", b"PROBE RAN")
        (place / "probe").write_bytes(edited)
        os.utime(place / "probe", ns=(times.st_atime_ns, times.st_mtime_ns))
        refused(ada.gatekeeper("run", "probe", PATH=path), 126, "GK305")

    def test_a_copy_under_another_name(self, ada: Workstation, npm_tools: Path, tmp_path: Path) -> None:
        """`cp claude notclaude`: the name is not in the catalogue, approved or not."""
        ada.get_approved("claude")
        place = tmp_path / "copies"
        place.mkdir()
        os.link(os.path.realpath(npm_tools / "claude"), place / "notclaude")
        done = ada.gatekeeper("run", "notclaude", "--version", PATH=f"{place}:{ada.environment['PATH']}")
        refused(done, 126, "GK302")

    def test_a_copy_under_its_own_name(self, ada: Workstation, toolbox: Path, tmp_path: Path) -> None:
        """Something else that calls itself `claude` is not the package that was approved."""
        ada.get_approved("claude")
        place = tmp_path / "copies"
        place.mkdir()
        shutil.copy(toolbox / "probe", place / "claude")
        done = ada.gatekeeper("run", "claude", "--version", PATH=f"{place}:{ada.environment['PATH']}")
        refused(done, 126, "GK305")

    def test_a_path_is_a_usage_error(self, ada: Workstation, npm_tools: Path) -> None:
        """What runs is what PATH finds under a name of the catalogue."""
        refused(ada.gatekeeper("run", str(npm_tools / "claude")), 125, "GK103")

    def test_an_excluded_repository(self, ada: Workstation) -> None:
        """GK306 in a repository of a zone that the approval doesn't name; anywhere below it, too."""
        repository = ada.home / "llama"
        below = repository / "src" / "deep"
        below.mkdir(parents=True)
        _git(ada, repository, "init", "-q")
        _git(ada, repository, "remote", "add", "origin", "git@github.com:Acme/llama-4.git")
        refused(ada.gatekeeper("run", "probe", cwd=below), 126, "GK306")
        assert ada.gatekeeper("run", "probe").status == 0

    def test_an_approved_zone(self, ada: Workstation) -> None:
        """With a grant that names the zone it runs there."""
        repository = ada.home / "llama"
        repository.mkdir()
        _git(ada, repository, "init", "-q")
        _git(ada, repository, "remote", "add", "origin", "https://github.com/acme/llama-4")
        ada.service.approve(ada.request("probe-approval", "--zone", "frontier-models"))
        done = ada.gatekeeper("run", "probe-approval", cwd=repository)
        assert (done.status, done.out) == (0, "probe ran\n"), done

    def test_a_repository_that_hides_its_remote(self, ada: Workstation) -> None:
        """An unreadable configuration counts as excluded."""
        repository = ada.home / "hidden"
        repository.mkdir()
        _git(ada, repository, "init", "-q")
        (repository / ".git" / "config").write_text('[remote "origin"\n url = ???')
        refused(ada.gatekeeper("run", "probe", cwd=repository), 126, "GK306")

    def test_a_copied_state_directory(self, ada: Workstation) -> None:
        """A copy carries the mark of another directory: GK204, and nothing is launched by it."""
        assert ada.gatekeeper("run", "probe").status == 0
        copy = ada.home / "copied"
        shutil.copytree(ada.state, copy, copy_function=shutil.copy2)
        copy.chmod(0o700)
        refused(ada.gatekeeper("run", "probe", GATEKEEPER_STATE_DIR=str(copy)), 125, "GK204")


def _git(workstation: Workstation, directory: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], cwd=directory, env=workstation.environment, check=True, capture_output=True
    )


class TestStep10TheOtherCommands:
    """Everything else that a person types."""

    def test_check_decides_without_launching(self, ada: Workstation, npm_tools: Path, tmp_path: Path) -> None:
        """One object for both tools; neither is started."""
        ada.get_approved("claude")
        log = tmp_path / "trace"
        trace = tracing.traced(log, what="execve,execveat")
        done = ada.gatekeeper("check", "claude", "codex", "--json", before=trace)
        assert done.status == 3, done
        said = done.json()
        verdicts = {verdict["tool"]: verdict for verdict in said["results"]}
        assert verdicts["claude"]["decision"] == "allow"
        assert verdicts["claude"]["version"]
        assert (verdicts["codex"]["decision"], verdicts["codex"]["code"]) == ("refuse", "GK301")
        assert said["exit"] == 3
        tools = {os.path.realpath(npm_tools / tool) for tool in ("claude", "codex")}
        assert not tools & set(tracing.started(log))

    def test_status(self, ada: Workstation) -> None:
        """Who, device, service, and every tool until when."""
        ada.get_approved("claude")
        assert ada.gatekeeper("run", "claude", "--version").status == 0
        done = ada.gatekeeper("status", "--json")
        assert done.status == 0, done
        said = done.json()
        assert {"schema", "subject", "device", "service", "trust", "tools"} <= set(said)
        (claude,) = [tool for tool in said["tools"] if tool["tool"] == "claude"]
        assert claude["state"] == "approved"
        assert re.fullmatch(r"G-\d+", claude["grant"])
        assert claude["token_ends"] <= claude["grant_ends"]
        for words in (ada.subject, ada.service.issuer, "claude"):
            assert words in ada.gatekeeper("status").out

    def test_tools(self, ada: Workstation) -> None:
        """The catalogue with access classes, and one tool in detail."""
        listed = ada.gatekeeper("tools", "--json")
        assert listed.status == 0, listed
        said = json.dumps(listed.json())
        for word in ("claude", "codex", "probe", "closed", "open", "approval"):
            assert word in said
        assert ada.gatekeeper("tools", "claude").status == 0

    def test_requests(self, ada: Workstation) -> None:
        """The own requests, and one in detail."""
        request = ada.request("claude")
        listed = ada.gatekeeper("requests", "--json").json()
        assert [entry["id"] for entry in listed["requests"]] == [request]
        assert request in ada.gatekeeper("requests", request).out

    def test_logout(self, ada: Workstation) -> None:
        """After it, nothing is usable any more, and no secret is left."""
        assert ada.gatekeeper("run", "probe").status == 0
        assert ada.gatekeeper("logout").status == 0
        refused(ada.gatekeeper("run", "probe"), 125, "GK201")
        left = [path.read_text(errors="replace") for path in ada.home.rglob("*") if path.is_file()]
        assert not [text for text in left if '"d"' in text], "the device's private key is still there"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["explain", "GK301"], "not approved"),
            (["version"], "0."),
            (["config", "path"], "config.toml"),
            (["config", "get", "service"], "http://localhost:"),
            (["config", "list", "--show-origin"], "trust_roots"),
            (["completion", "bash"], "gatekeeper"),
            (["--help"], "request"),
        ],
    )
    def test_the_small_commands(self, newcomer: Workstation, arguments: list[str], words: str) -> None:
        """They work without a sign-in, and answer on stdout."""
        done = newcomer.gatekeeper(*arguments)
        assert done.status == 0, done
        assert words in done.out

    def test_open_tools_need_no_request(self, ada: Workstation) -> None:
        """... only a sign-in."""
        done = ada.gatekeeper("run", "probe")
        assert (done.status, done.out) == (0, "probe ran\n"), done

    def test_an_executable_name_is_as_good_as_an_id(self, ada: Workstation) -> None:
        """`check` accepts what PATH calls it."""
        assert ada.gatekeeper("check", "probe").status == 0


def test_the_starting_policy_names_the_well_known_assistants(command: Path, tmp_path: Path) -> None:
    """A service without a policy of its own begins with all of them, each for approval."""
    with running(Service(command, tmp_path / "service")) as service:
        workstation = Workstation(command, tmp_path / "home", [], service, "ada@acme.example")
        assert workstation.sign_in().status == 0
        said = workstation.gatekeeper("tools", "--json").json()
        access = {tool["tool"]: tool["access"] for tool in said["tools"]}
    wanted = {
        "claude",
        "codex",
        "copilot",
        "gemini",
        "opencode",
        "aider",
        "cursor-agent",
        "qwen",
        "amp",
        "crush",
        "goose",
    }
    assert wanted <= set(access)
    assert {access[tool] for tool in wanted} == {"approval"}
