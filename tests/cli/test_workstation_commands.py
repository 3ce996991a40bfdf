"""`login`, `logout`, `sync`, `config`, `explain`, `completion`, `version`."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Desk, catalogue, keep_catalogue
from tests.fakes.workstation import MANAGED, TRUST, managed_file

from gatekeeper import __version__
from gatekeeper.cli.app import COMMANDS
from gatekeeper.cli.completion import SCRIPTS
from gatekeeper.cli.explain import find_row
from gatekeeper.client.credentials import Stored
from gatekeeper.client.signin import SignedOut
from gatekeeper.codes import CODES
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.documents.api import Problem
from gatekeeper.errors import GatekeeperError

CONFIG = "/home/ada/.config/gatekeeper/config.toml"


class TestLogin:
    """Signing in."""

    def test_redeems_a_code_and_says_where_the_credential_is(self, desk: Desk) -> None:
        """Who, which device, and the file."""
        status, out, _ = desk.run("login", "--code", " K7QF-M2XD ", "--device-name", "ada-laptop")
        assert status == 0
        assert desk.calls.asked == [("sign_in", "K7QF-M2XD", "ada-laptop")]
        assert "ada@acme.example" in out
        assert "/home/ada/.local/share/gatekeeper/credential" in out

    @pytest.mark.parametrize(
        ("stored", "words"),
        [
            (Stored(where="keyring"), "kept in your keyring"),
            (Stored(where="memory"), "kept in memory alone"),
            (
                Stored(where="file", path="/x", why="no backend"),
                "No keyring answered, so the credential stands in /x",
            ),
        ],
    )
    def test_each_place_has_words(self, desk: Desk, stored: Stored, words: str) -> None:
        """A fallback is never silent."""
        desk.calls.stored = stored
        assert words in desk.run("login", "--code", "x")[1]

    def test_the_host_names_the_device(self, desk: Desk) -> None:
        """Unless a name is given."""
        desk.run("login", "--code", "x")
        assert desk.calls.asked[0][2]

    @pytest.mark.parametrize("arguments", [(), ("--code", ""), ("--code", "  ")])
    def test_without_a_code_nothing_is_sent(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """Nobody is there to be asked: GK100, after looking for a sign-in that is kept."""
        status, _, err = desk.run("login", *arguments)
        assert status == 2
        assert "gatekeeper login --code CODE" in err
        assert [call[0] for call in desk.calls.asked] in ([], ["sign_in_again"])

    def test_a_kept_sign_in_needs_no_code(self, desk: Desk) -> None:
        """The state is bound to it again, and nothing is asked."""
        desk.calls.kept_sign_in = desk.calls.sign_in(code="", device_name="laptop").replace(stored=None)
        status, out, _ = desk.run("login")
        assert status == 0
        assert "still holds" in out

    def test_json(self, desk: Desk) -> None:
        """One object."""
        status, found = desk.json("login", "--code", "x")
        assert (status, found["subject"], found["credential"]) == (0, "ada@acme.example", "file")


class TestLogout:
    """Signing out."""

    def test_says_what_was_done(self, desk: Desk) -> None:
        """Exit 0."""
        status, out, err = desk.run("logout")
        assert (status, err) == (0, "")
        assert "Signed out" in out

    def test_says_what_the_service_does_not_know(self, desk: Desk) -> None:
        """The local half is done all the same."""
        desk.calls.signed_out = SignedOut(revoked=False, why="connection refused")
        status, _, err = desk.run("logout")
        assert status == 0
        assert "connection refused" in err


class TestSync:
    """Renewing everything."""

    def test_a_table_of_outcomes(self, desk: Desk) -> None:
        """Not approved is an answer, and no failure of the renewal."""
        said = Problem(code="GK307", status=403, title="x", by="sam@acme.example", reason="over")
        desk.calls.renewals = {"claude": Renewed(), "codex": Refused(code="GK307", problem=said)}
        status, out, _ = desk.run("sync", "--lease", "72h")
        assert status == 0
        assert desk.calls.asked == [("sync", 72 * 3_600)]
        assert "renewed" in out
        assert "revoked by sam@acme.example: over" in out

    @pytest.mark.parametrize(
        ("renewal", "status"),
        [
            (Unreachable(code="GK601", detail="refused"), 6),
            (Untrusted(code="GK501", detail="no key"), 7),
            (Refused(code="GK202"), 4),
        ],
    )
    def test_what_failed_is_in_the_exit_status(
        self, desk: Desk, renewal: Unreachable | Untrusted | Refused, status: int
    ) -> None:
        """By the same precedence as `check`."""
        desk.calls.renewals = {"claude": Renewed(), "codex": renewal}
        assert desk.run("sync")[0] == status
        given, found = desk.json("sync")
        assert given == found["exit"] == status

    def test_nothing_to_renew(self, desk: Desk) -> None:
        """Exit 0 in words."""
        status, out, _ = desk.run("sync")
        assert status == 0
        assert "nothing to renew" in out

    def test_signed_out(self, signed_out: Desk) -> None:
        """Exit 4."""
        assert signed_out.run("sync")[0] == 4


class TestConfig:
    """What is configured."""

    def test_path(self, desk: Desk) -> None:
        """One line, the person's own file; JSON has every layer's."""
        assert desk.run("config", "path") == (0, f"{CONFIG}\n", "")
        _, found = desk.json("config", "path")
        assert {one["layer"] for one in found["files"]} == {"managed", "user", "system"}

    def test_get_with_its_origin(self, desk: Desk) -> None:
        """The value alone, or with the file that says so."""
        assert desk.run("config", "get", "service")[1] == "https://gk.acme.example\n"
        assert desk.run("config", "get", "service", "--show-origin")[1] == (
            f"https://gk.acme.example  (managed {MANAGED}, locked)\n"
        )

    def test_list(self, desk: Desk) -> None:
        """Every key; a hostile value stays in its line."""
        desk.world.files[CONFIG] = b'ca_bundle = "/tmp/\\u001b[2Jx"\nunknown = 1\n'
        status, out, err = desk.run("config", "list", "--show-origin")
        assert status == 0
        assert "/tmp/\\x1b[2Jx" in out
        assert f"user {CONFIG}" in out
        assert "unknown key" in err
        _, found = desk.json("config", "list")
        assert {one["key"] for one in found["values"]} >= {"service", "trust_roots", "verifier"}

    def test_an_unknown_key_has_a_neighbour(self, desk: Desk) -> None:
        """GK100."""
        status, _, err = desk.run("config", "get", "trust_root")
        assert status == 2
        assert "Did you mean trust_roots?" in err

    def test_a_malformed_file_is_named(self, desk: Desk) -> None:
        """GK101, exit 7, the path."""
        desk.world.files[CONFIG] = b"= nope"
        status, _, err = desk.run("config", "list")
        assert status == 7
        assert CONFIG in err.replace("\n         ", "")

    def test_a_malformed_managed_file_refuses_everything(self, desk: Desk) -> None:
        """It never falls open."""
        desk.world.files[MANAGED] = managed_file()[:-1]
        for command in (("status",), ("check", "claude"), ("config", "list"), ("sync",)):
            assert desk.run(*command)[0] == 7


class TestExplain:
    """The table of codes, for people."""

    @pytest.mark.parametrize("code", sorted(CODES))
    def test_every_code_however_it_is_written(self, code: str) -> None:
        """With or without GK, in any case."""
        for text in (code, code.lower(), code[2:], f" {code} "):
            assert find_row(text).code == code

    @given(text=st.text(max_size=12))
    def test_anything_else_is_a_usage_error(self, text: str) -> None:
        """Never another exception."""
        try:
            found = find_row(text).code[2:] in text
        except GatekeeperError as error:
            found = error.code == "GK100"
        assert found

    def test_names_the_nearest(self, desk: Desk) -> None:
        """By number."""
        status, _, err = desk.run("explain", "312")
        assert status == 2
        assert "GK311" in err

    def test_json(self, desk: Desk) -> None:
        """The row, exits included; and all rows."""
        _, found = desk.json("explain", "301")
        assert (found["code"], found["exit"], found["run_exit"]) == ("GK301", 3, 126)
        _, found = desk.json("explain")
        assert len(found["codes"]) == len(CODES)

    def test_names_no_zone_of_the_reader(self, desk: Desk) -> None:
        """It needs no configuration at all."""
        desk.world.files.clear()
        assert desk.run("explain", "GK101")[0] == 0


class TestCompletion:
    """Scripts for shells."""

    @pytest.mark.parametrize("shell", SCRIPTS)
    def test_names_every_command(self, desk: Desk, shell: str) -> None:
        """On stdout alone."""
        status, out, err = desk.run("completion", shell)
        assert (status, err) == (0, "")
        for name in COMMANDS:
            assert name in out
        assert "--min-ttl" in out or "-l min-ttl" in out

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_is_a_script_that_the_shell_reads(self, desk: Desk, shell: str) -> None:
        """Where the shell is installed."""
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed")
        script = desk.run("completion", shell)[1]
        done = subprocess.run([program, "-n"], input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            (("gatekeeper", "sta"), ["status"]),
            (("gatekeeper", "check", "cl"), ["claude"]),
            (("gatekeeper", "--profile", "x", "check", "--min"), ["--min-ttl"]),
            (("gatekeeper", "run", "claude", "st"), []),
            (("gatekeeper", "config", "pa"), ["path"]),
        ],
    )
    def test_completes_in_bash(self, desk: Desk, typed: tuple[str, ...], offered: list[str]) -> None:
        """Commands, options and tools; nothing of ours after the tool."""
        program = shutil.which("bash")
        if program is None:
            pytest.skip("bash is not installed")
        words = " ".join(f"'{word}'" for word in typed)
        script = (
            "gatekeeper() { [[ $2 == --tool-names ]] && printf 'claude\\ncodex\\n'; }\n"
            + desk.run("completion", "bash")[1]
            + f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _gatekeeper; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        )
        done = subprocess.run([program, "--norc"], input=script, text=True, capture_output=True, check=True)
        assert done.stdout.split() == offered

    def test_tool_names_come_from_the_state(self, desk: Desk) -> None:
        """No call; and a name that a shell would expand is never given to one."""
        hostile = catalogue().tools[0].replace(id="$(touch x)")
        keep_catalogue(desk.world, tools=(*catalogue().tools, hostile))
        status, out, _ = desk.run("completion", "--tool-names")
        assert status == 0
        assert out.split() == ["claude", "codex", "crush", "house"]
        assert desk.calls.asked == []

    def test_tool_names_are_silent_where_nothing_works(self, desk: Desk) -> None:
        """A prompt is no place for an error."""
        desk.world.files[MANAGED] = b"{"
        assert desk.run("completion", "--tool-names") == (0, "", "")

    @pytest.mark.parametrize("arguments", [(), ("tcsh",), ("BASH",)])
    def test_an_unknown_shell(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """GK100."""
        assert desk.run("completion", *arguments)[0] == 2


class TestVersion:
    """Which gatekeeper."""

    def test_text_and_json(self, desk: Desk) -> None:
        """Both name the version; `--version` too."""
        assert __version__ in desk.run("version")[1]
        assert desk.run("--version")[1] == f"gatekeeper {__version__}\n"
        assert desk.json("version")[1]["version"] == __version__

    def test_needs_nothing(self, desk: Desk) -> None:
        """No configuration, no state."""
        desk.world.files.clear()
        assert desk.run("version")[0] == 0
        assert TRUST.root_key.kid
