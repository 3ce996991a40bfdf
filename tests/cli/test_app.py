"""The command as a whole: its help, its options, its errors, and how little it loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.cli.conftest import Desk
from tests.fakes.world import FakeWorld

from gatekeeper.cli.app import COMMANDS, build_command, main
from gatekeeper.cli.here import Here
from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.codes import CODES
from gatekeeper.errors import GatekeeperError

OURS = [name for name in COMMANDS if name not in ("service", "demo")]
NOT_YET = (
    "shims",
    "doctor",
    "scan",
    "gateway",
    "vendor",
    "receipts",
    "hooks",
    "sent",
    "check-commits",
)


def run_process(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-m", "gatekeeper", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **more,  # type: ignore[call-overload]
    )
    return done


class TestHelp:
    """What there is, and nothing that isn't."""

    def test_is_grouped(self, desk: Desk) -> None:
        """Every command stands in a group, on stdout, exit 0; bare `gatekeeper` shows the same."""
        status, out, err = desk.run("--help")
        assert (status, err) == (0, "")
        for title in ("Every day:", "Approvals:", "This workstation:", "Service:"):
            assert title in out
        for name in COMMANDS:
            assert f"\n  {name} " in out
        assert desk.run()[:2] == (0, out)

    def test_lists_nothing_that_does_not_work_yet(self, desk: Desk) -> None:
        """A later command is an unknown command."""
        for name in NOT_YET:
            assert name not in COMMANDS
            assert desk.run(name)[0] == 2

    @pytest.mark.parametrize("name", OURS)
    def test_every_command_has_words_and_examples(self, desk: Desk, name: str) -> None:
        """Which begin with the command, and are not rewrapped."""
        status, out, _ = desk.run(name, "--help")
        assert status == 0
        assert "\n  Examples:\n" in out
        assert f"gatekeeper {name}" in out.partition("Examples:")[2].partition("\n\n")[0]
        assert "--profile NAME" in out

    def test_a_group_without_a_command_is_a_usage_error(self, desk: Desk) -> None:
        """Its help, on stderr, exit 2."""
        status, out, err = desk.run("config")
        assert (status, out) == (2, "")
        assert "list" in err


class TestGlobalOptions:
    """`--profile` and `--no-input` go with every command."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--profile", "work", "config", "path"),
            ("config", "--profile", "work", "path"),
            ("config", "path", "--profile", "work"),
            ("config", "path", "--profile=work"),
        ],
    )
    def test_the_profile_may_stand_anywhere(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """Before the command, after it, and after a subcommand."""
        desk.run(*arguments)
        assert desk.opened == [("work", False)]

    @pytest.mark.parametrize("arguments", [("--no-input", "status"), ("status", "--no-input")])
    def test_no_input_too(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """The same."""
        desk.run(*arguments)
        assert desk.opened == [("", True)]

    @pytest.mark.parametrize("name", ["../x", "a/b", "", "-x"])
    def test_a_profile_is_no_path(self, desk: Desk, name: str) -> None:
        """It names a directory."""
        status, _, _ = desk.run("status", f"--profile={name}")
        assert status == (7 if name else 0)

    @pytest.mark.parametrize("name", [name for name in OURS if name != "run"])
    def test_every_command_takes_it(self, name: str) -> None:
        """No command was forgotten, nor a command of a command."""

        def check(command: object) -> None:
            opts = {opt for option in command.params for opt in getattr(option, "opts", ())}  # type: ignore[attr-defined]
            assert {"--profile", "--no-input"} <= opts
            for sub in getattr(command, "commands", {}).values():
                check(sub)

        check(build_command(name, COMMANDS[name]))


class TestErrors:
    """Words and an exit status, never a traceback."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("nope",),
            ("--nope",),
            ("check",),
            ("check", "--nope", "claude"),
            ("check", "claude", "--min-ttl"),
            ("status", "x"),
            ("explain", "a", "b"),
            ("\x1b[2J",),
            ("config", "get"),
            ("--no-input", "run", "claude"),
        ],
    )
    def test_a_wrong_command_line(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """Exit 2, GK100, the remedy; stdout stays empty and no argument commands the terminal."""
        status, out, err = desk.run(*arguments)
        assert (status, out) == (2, "")
        assert "GK100" in err
        assert "--help" in err
        assert "\x1b" not in err
        assert "Traceback" not in err

    @pytest.mark.parametrize("code", sorted(CODES))
    def test_every_code_exits_by_its_row(self, code: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever raises it; in JSON the error is the one object on stdout."""

        def broken(_profile: str, _no_input: bool) -> Here:  # noqa: FBT001 - an `Opener`
            raise GatekeeperError(code, "found\x1b[2J this", remedy="do that")

        assert main(["status", "--json"], opener=broken) == CODES[code].check_exit
        out, err = capsys.readouterr()
        found = json.loads(out)
        assert (found["schema"], found["code"], found["detail"]) == (1, code, "found\x1b[2J this")
        assert "do that" in err
        assert "\x1b" not in out + err

    @pytest.mark.parametrize("wish", [("--json",), ("--format", "json"), ("--format=json",)])
    def test_an_error_is_json_where_json_was_asked_for(self, desk: Desk, wish: tuple[str, ...]) -> None:
        """However it was asked."""
        status, out, _ = desk.run("check", "./claude", *wish)
        assert (status, json.loads(out)["code"]) == (2, "GK103")

    def test_a_bug_is_told_in_words(self, capsys: pytest.CaptureFixture[str]) -> None:
        """GK901, exit 1, where it was; no traceback."""

        def broken(_profile: str, _no_input: bool) -> Here:  # noqa: FBT001 - an `Opener`
            raise ZeroDivisionError("oh")

        assert main(["status"], opener=broken) == 1
        _, err = capsys.readouterr()
        assert "GK901" in err
        assert "ZeroDivisionError at test_app.py" in err
        assert "Traceback" not in err

    @pytest.mark.parametrize(
        "arguments",
        [
            ("request", "codex", "--reason", "a\udcff"),
            ("request", "codex", "--reason=\udcff"),
            ("request", "codex", "--reason", "x", "--ticket", "\udcff"),
            ("request", "codex", "--reason", "x", "--zone", "\udcff"),
            ("login", "--code", "\udcff"),
            ("login", "--code", "x", "--device-name", "\udcff"),
            ("--profile", "\udcff", "status"),
            ("check", "\udcff"),
            ("\udcff",),
        ],
    )
    def test_bytes_that_are_no_text_are_a_usage_error(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """GK100 wherever they stand, in words and as JSON; nothing is asked of the service."""
        status, out, err = desk.run(*arguments)
        assert (status, out) == (2, "")
        assert "GK100" in err
        assert "is no text" in err
        assert desk.opened == []
        assert desk.json(*arguments)[1]["code"] == "GK100"

    def test_a_code_of_a_later_service_is_no_bug(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It is told as an answer that can't be read."""

        def refused(_profile: str, _no_input: bool) -> Here:  # noqa: FBT001 - an `Opener`
            raise ServiceRefused("GK399", "Something new.")

        assert main(["status", "--json"], opener=refused) == CODES["GK602"].check_exit
        out, err = capsys.readouterr()
        assert json.loads(out)["code"] == "GK602"
        assert "GK602" in err
        assert "GK901" not in err
        assert "Something new." in err

    def test_interrupted(self, capsys: pytest.CaptureFixture[str]) -> None:
        """130."""

        def interrupted(_profile: str, _no_input: bool) -> Here:  # noqa: FBT001 - an `Opener`
            raise KeyboardInterrupt

        assert main(["status"], opener=interrupted) == 130
        assert "GK902" in capsys.readouterr().err

    def test_a_disk_that_fails_anywhere_gives_words(
        self, make_desk: Callable[[FakeWorld], Desk], desk: Desk
    ) -> None:
        """Whichever call of the world fails, `check` and `status` end with an exit status of the table and no traceback."""
        for command in (("check", "claude"), ("status", "--offline"), ("tools", "--offline")):
            desk.world.calls.clear()
            desk.world.fail_at = None
            desk.run(*command)
            for at in range(len(desk.world.calls)):
                desk.world.calls.clear()
                desk.world.fail_at = at
                status, _, err = desk.run(*command)
                assert status in {0, 3, 4, 6, 7, 8}, (command, at, err)
                assert "GK901" not in err, (command, at, err)

    def test_under_an_agent_a_refusal_says_to_ask(self, desk: Desk) -> None:
        """One more line."""
        desk.world.variables["CLAUDECODE"] = "1"
        _, _, err = desk.run("check", "codex")
        assert "do not work around this" in err


class TestProcess:
    """As a process of its own."""

    def test_a_reader_that_goes_is_no_error(self) -> None:
        """`gatekeeper explain | head -1`: no message, the status of what was done."""
        process = subprocess.Popen(
            [sys.executable, "-m", "gatekeeper", "explain", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == 0

    def test_help_into_a_closed_pipe(self) -> None:
        """The same for what Typer prints."""
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "gatekeeper", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
        os.close(writer)
        assert done.stderr == b""

    def test_a_full_disk_is_told(self) -> None:
        """Exit 7, in words: a script must not take half a result for one."""
        with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
            done = subprocess.run(
                [sys.executable, "-m", "gatekeeper", "explain"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 7
        assert "GK106" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
    def test_a_terminal_that_is_not_utf_8(self, encoding: str) -> None:
        """ASCII glyphs, no exception."""
        done = run_process(
            "explain", "GK999", env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        )
        assert done.returncode == 2
        assert done.stderr.startswith("x Wrong arguments.")
        assert done.stderr.isascii()

    def test_no_home(self) -> None:
        """GK106 or what the system's own entry says; never a traceback."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environment["HOME"] = ""
        done = run_process("status", env=environment)
        assert done.returncode == 7
        assert "Traceback" not in done.stderr

    def test_closed_streams(self) -> None:
        """`>&- 2>&-`: an exit status all the same."""
        code = "import os, sys; os.close(1); os.close(2); os.execv(sys.executable, [sys.executable, '-m', 'gatekeeper', 'explain'])"
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode in (0, 7)

    def test_interrupting_a_prompt(self) -> None:
        """Ctrl-C at a question: 130, no traceback."""
        import pty

        parent, child = pty.openpty()
        # It knows no method at all, so people sign in with a code.
        service = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        environment = {**os.environ, "GATEKEEPER_SERVICE": f"http://127.0.0.1:{service.server_port}"}
        config = os.path.join(environment["XDG_CONFIG_HOME"], "gatekeeper")  # noqa: PTH118
        os.makedirs(config)  # noqa: PTH103
        with open(f"{config}/config.toml", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f'trust_roots = ["{"A" * 43}"]\n')
        process = subprocess.Popen(
            [sys.executable, "-m", "gatekeeper", "login"],
            stdin=child,
            stdout=child,
            stderr=child,
            env=environment,
            start_new_session=True,
        )
        os.close(child)
        service.handle_request()
        service.server_close()
        seen = b""
        while b"One-time code" not in seen:
            seen += os.read(parent, 1024)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(parent, 1024)
            except OSError:  # EIO: the other end is closed
                break
            if not part:
                break
            seen += part
        os.close(parent)
        assert process.wait() == 130
        assert b"Traceback" not in seen


LOADED = """
import sys
from gatekeeper.cli.app import main
main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
"""


class TestLightness:
    """What a command doesn't need, it doesn't load."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--help",),
            ("status",),
            ("version", "--json"),
            ("explain", "GK301"),
            ("check", "claude", "--json"),
        ],
    )
    def test_neither_rich_nor_the_client(self, arguments: tuple[str, ...]) -> None:
        """No rich for a pipe or for JSON; no httpx, keyring, cryptography or service before a call needs them."""
        done = subprocess.run(
            [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=False
        )
        loaded = {name.partition(".")[0] for name in done.stderr.split()}
        assert "typer" in loaded
        assert not loaded & {
            "rich",
            "httpx",
            "keyring",
            "cryptography",
            "sqlalchemy",
            "platformdirs",
            "pydantic",
        }
        assert not {"gatekeeper.service", "gatekeeper.client.http"} & set(done.stderr.split())

    def test_help_imports_no_command(self) -> None:
        """The list is a table."""
        done = subprocess.run(
            [sys.executable, "-c", LOADED, "--help"], capture_output=True, text=True, check=False
        )
        loaded = set(done.stderr.split())
        modules = {f"gatekeeper.cli.{entry.module}" for entry in COMMANDS.values()}
        assert not modules & loaded
        assert "gatekeeper.workstation.posix" not in loaded
