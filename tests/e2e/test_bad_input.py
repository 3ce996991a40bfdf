"""What bad input gets: a message that names the thing and the remedy, the right exit status, never a launch.

And afterwards, once the trouble is over, everything works again: nothing was lost.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e import liar, parts
from tests.e2e.liar import Liar
from tests.e2e.workplace import REASON, Finished, Service, Workstation, free_port, running

from gatekeeper.service.keys.signer import load_keys
from gatekeeper.trust.sign import sign_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODE = re.compile(r"\bGK\d{3}\b")


def stopped(done: Finished, status: int, *codes: str) -> None:
    """Hold an error to its contract: exit status, one of the codes, nothing started, no traceback."""
    assert (done.status, done.out) == (status, ""), done
    assert set(CODE.findall(done.err)) & set(codes), done
    assert "Traceback" not in done.err, done


class TestConfiguration:
    """Files that people and device management write."""

    @pytest.mark.parametrize(
        "text",
        [
            "service = ",
            'service = "http://localhost:1"\nservice = "http://localhost:2"',
            "\x00",
            'service = "ftp://localhost"',
            'trust_roots = "no list"',
        ],
    )
    def test_a_malformed_configuration(self, newcomer: Workstation, text: str) -> None:
        """GK101 names the file; `run` 125, the others 7."""
        newcomer.config_file.write_text(text)
        for arguments, status in ((("run", "probe"), 125), (("check", "probe"), 7), (("status",), 7)):
            done = newcomer.gatekeeper(*arguments)
            stopped(done, status, "GK101", "GK104")
            if "GK101" in done.err:
                assert str(newcomer.config_file) in done.err.replace("\n", ""), done

    def test_bytes_that_are_no_text(self, newcomer: Workstation) -> None:
        """Not UTF-8: GK101."""
        newcomer.config_file.write_bytes(b'service = "\xff\xfe"\n')
        stopped(newcomer.gatekeeper("run", "probe"), 125, "GK101")

    def test_an_unknown_key_warns(self, ada: Workstation) -> None:
        """In the person's own file a misspelt key is named, and everything else goes on."""
        ada.config_file.write_text(ada.config_file.read_text() + 'servise = "x"\n')
        done = ada.gatekeeper("run", "probe")
        assert (done.status, done.out) == (0, "probe ran\n"), done
        assert "servise" in ada.gatekeeper("config", "list").err

    def test_a_configuration_in_a_directory_s_place(self, newcomer: Workstation) -> None:
        """What can't be read isn't taken for absent."""
        newcomer.config_file.unlink()
        newcomer.config_file.mkdir()
        stopped(newcomer.gatekeeper("run", "probe"), 125, "GK101")


class TestTheManagedLayer:
    """`/etc/gatekeeper`, in a mount namespace of the test's own."""

    @staticmethod
    def _managed(place: Path, text: str, *, mode: int = 0o644) -> list[str]:
        etc = place / "etc"
        (etc / "gatekeeper").mkdir(parents=True)
        for name in ("hosts", "nsswitch.conf", "passwd", "group", "ld.so.cache", "machine-id", "resolv.conf"):
            if Path("/etc", name).is_file():
                shutil.copy(f"/etc/{name}", etc / name)
        (etc / "gatekeeper" / "managed.json").write_text(text)
        (etc / "gatekeeper" / "managed.json").chmod(mode)
        return parts.in_mount_namespace(f"mount --bind '{etc}' /etc", as_root=True)

    @pytest.mark.parametrize("text", ["{", "[]", '{"service": 1}', '{"unknown_key": true}', ""])
    def test_a_malformed_one_refuses(self, ada: Workstation, tmp_path: Path, text: str) -> None:
        """It never falls open, fresh token or not, and says which file it is."""
        assert ada.gatekeeper("run", "probe").status == 0
        done = ada.gatekeeper("run", "probe", before=self._managed(tmp_path, text))
        stopped(done, 125, "GK101")
        assert "/etc/gatekeeper/managed.json" in done.err

    @pytest.mark.parametrize("mode", [0o666, 0o664])
    def test_one_that_others_may_write_refuses(self, ada: Workstation, tmp_path: Path, mode: int) -> None:
        """Whoever may write it would decide whom to trust."""
        text = json.dumps({"service": ada.service.issuer, "trust_roots": _pins(ada)})
        done = ada.gatekeeper("run", "probe", before=self._managed(tmp_path, text, mode=mode))
        stopped(done, 125, "GK101")

    def test_it_alone_says_whom_to_trust(self, newcomer: Workstation, tmp_path: Path) -> None:
        """The person's own file can't point elsewhere."""
        ada = newcomer
        text = json.dumps({"service": ada.service.issuer, "trust_roots": _pins(ada)})
        managed = self._managed(tmp_path, text)
        code = ada.service.invite(ada.subject)
        assert ada.gatekeeper("login", "--code", code, before=managed).status == 0
        ada.config_file.write_text('service = "http://localhost:9"\ntrust_roots = ["' + "A" * 43 + '"]\n')
        done = ada.gatekeeper("config", "get", "service", before=managed)
        assert (done.status, done.out.strip()) == (0, ada.service.issuer), done
        assert ada.gatekeeper("run", "probe", before=managed).status == 0
        assert "managed" in ada.gatekeeper("config", "list", "--show-origin", before=managed).out


def _pins(workstation: Workstation) -> list[str]:
    return re.findall(r"[A-Za-z0-9_-]{43}", workstation.service.config)


def _into_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b'{"schema": 99}'),
    "noise": lambda path: path.write_bytes(os.urandom(512)),
    "huge": lambda path: path.write_bytes(b" " * 20_000_000),
    "a directory": _into_directory,
    "writable by others": lambda path: path.chmod(0o666),
}


class TestState:
    """All state is input."""

    @pytest.mark.parametrize("damage", list(DAMAGES))
    def test_damaged_state(self, ada: Workstation, damage: str) -> None:
        """Whatever happens to any one file: it launches by a renewal, or says what is wrong; never a traceback."""
        assert ada.gatekeeper("run", "probe").status == 0
        names = sorted(path.relative_to(ada.state) for path in ada.state.rglob("*") if path.is_file())
        assert names
        kept = ada.home / "kept"
        shutil.copytree(ada.state, kept, copy_function=shutil.copy2)
        for name in names:
            DAMAGES[damage](ada.state / name)
            done = ada.gatekeeper("run", "probe")
            assert "Traceback" not in done.err, (name, done)
            assert "GK901" not in done.err, (name, done)
            if done.status:
                assert (done.status, done.out) == (125, ""), (name, done)
                assert CODE.search(done.err), (name, done)
            self._put_back(ada.state, kept, name)
        assert ada.gatekeeper("run", "probe").status == 0

    @staticmethod
    def _put_back(state: Path, kept: Path, name: Path) -> None:
        if (state / name).is_dir():
            shutil.rmtree(state / name)
        shutil.copy2(kept / name, state / name)

    def test_a_damaged_token_without_the_service(self, own_ada: Workstation) -> None:
        """There is nothing to fall back on, so it couldn't decide."""
        assert own_ada.gatekeeper("run", "probe").status == 0
        own_ada.service.stop()
        tokens = list(own_ada.state.rglob("tokens/*.json"))
        assert tokens
        for path in tokens:
            path.write_bytes(path.read_bytes()[:-20])
        stopped(own_ada.gatekeeper("run", "probe"), 125, "GK601", "GK701")

    def test_an_edited_token(self, own_ada: Workstation) -> None:
        """One byte of the token changed: it verifies no longer, and nothing is launched by it."""
        assert own_ada.gatekeeper("run", "probe").status == 0
        own_ada.service.stop()
        tokens = list(own_ada.state.rglob("tokens/*.json"))
        for path in tokens:
            path.write_bytes(_edited(path.read_bytes()))
        stopped(own_ada.gatekeeper("run", "probe"), 125, "GK601", "GK501")

    def test_a_place_that_is_no_directory(self, ada: Workstation) -> None:
        """A state directory below a file: the environment is named."""
        (ada.home / "file").write_text("")
        done = ada.gatekeeper("run", "probe", GATEKEEPER_STATE_DIR=str(ada.home / "file" / "state"))
        stopped(done, 125, "GK106", "GK201", "GK701")

    def test_a_read_only_state_and_a_fresh_token(self, ada: Workstation) -> None:
        """A mark of time that can't be written doesn't stop a token that is fresh."""
        assert ada.gatekeeper("run", "probe").status == 0
        done = ada.gatekeeper("run", "probe", before=self._read_only(ada))
        assert (done.status, done.out) == (0, "probe ran\n"), done

    def test_a_read_only_state_and_no_token(self, ada: Workstation) -> None:
        """A token that can't be kept launches nothing; afterwards it does."""
        stopped(ada.gatekeeper("run", "probe", before=self._read_only(ada)), 125, "GK701", "GK106")
        assert ada.gatekeeper("run", "probe").status == 0

    @staticmethod
    def _read_only(workstation: Workstation) -> list[str]:
        state = workstation.state
        return parts.in_mount_namespace(
            f"mount --bind '{state}' '{state}'\nmount -o remount,bind,ro '{state}'"
        )

    def test_a_full_disk(self, ada: Workstation, tmp_path: Path) -> None:
        """Signing in with no room for the state: said so, not half done; with room, the same works."""
        place = tmp_path / "full"
        place.mkdir()
        full = parts.in_mount_namespace(
            f"mount -t tmpfs -o size=16k,mode=700 none '{place}'\n"
            f"dd if=/dev/zero of='{place}/filler' bs=1k count=64 2>/dev/null || true"
        )
        code = ada.service.invite(ada.subject)
        done = ada.gatekeeper("login", "--code", code, before=full, GATEKEEPER_STATE_DIR=str(place))
        assert done.status in (2, 6, 7), done
        assert CODE.search(done.err), done
        assert "Traceback" not in done.err, done
        assert ada.gatekeeper("run", "probe").status == 0


def _edited(data: bytes) -> bytes:
    """Change one character in the middle of the longest run that looks like a compact token."""
    token = max(re.findall(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", data), key=len)
    at = data.index(token) + len(token) // 2
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


@pytest.fixture
def lying(
    command: Path, policy: str, tmp_path: Path, workstation_for: Callable[[Service], Workstation]
) -> Iterator[tuple[Liar, Workstation]]:
    """A signed-in person whose service is reached through a proxy that is honest until told otherwise."""
    service = Service(command, tmp_path / "service", policy, behind=free_port())
    with running(service):
        proxy = Liar(service.port, behind=service.behind)
        try:
            workstation = workstation_for(service)
            done = workstation.sign_in()
            assert done.status == 0, done
            yield proxy, workstation
        finally:
            proxy.close()


class TestAHostileService:
    """Something answers at the service's address, but not as it should."""

    @pytest.mark.parametrize("what", ["page", "failure", "nonsense", "dribble", "flood"])
    def test_no_usable_answer(self, lying: tuple[Liar, Workstation], what: str) -> None:
        """Undetermined, not a denial; nothing started; `request` and `login` say it too; then all is well again."""
        proxy, ada = lying
        assert ada.gatekeeper("run", "probe-approval").status == 126
        proxy.lie = getattr(proxy, what, None) or getattr(liar, what)
        stopped(ada.gatekeeper("run", "probe"), 125, "GK601", "GK602")
        assert ada.gatekeeper("check", "probe").status == 6
        stopped(ada.gatekeeper("request", "claude", "--reason", REASON), 6, "GK601", "GK602")
        proxy.lie = None
        assert ada.gatekeeper("sync").status == 0
        done = ada.gatekeeper("run", "probe")
        assert (done.status, done.out) == (0, "probe ran\n"), done

    def test_an_unusable_answer_does_not_take_a_token_away(self, lying: tuple[Liar, Workstation]) -> None:
        """A stale token still launches while a captive portal answers."""
        proxy, ada = lying
        assert ada.gatekeeper("run", "probe").status == 0
        proxy.lie = liar.page
        done = ada.gatekeeper("run", "probe", later="+20m")
        assert (done.status, done.out) == (0, "probe ran\n"), done
        assert "renew" in done.err

    @pytest.mark.parametrize(
        ("forgery", "codes"),
        [
            ("signature", {"GK501"}),
            ("another purpose's key", {"GK501"}),
            ("unsigned", {"GK501"}),
            ("type", {"GK502"}),
            ("iss", {"GK502"}),
            ("aud", {"GK502"}),
            ("cnf", {"GK501", "GK502"}),
            ("scope", {"GK501", "GK502"}),
        ],
    )
    def test_a_token_that_does_not_hold(
        self, lying: tuple[Liar, Workstation], forgery: str, codes: set[str]
    ) -> None:
        """Even with the service's own keys behind it: nothing is launched, and nothing of it is kept."""
        proxy, ada = lying
        forge = _forger(ada.service.data, forgery)
        forged: list[str] = []

        def lie(path: str, status: int, body: bytes) -> tuple[int, str, Iterator[bytes]]:
            if path == "/oauth/token" and status == 200:
                answer = json.loads(body)
                if answer["access_token"].count(".") == 2:
                    forged.append(answer["access_token"])
                    answer["access_token"] = forge(answer["access_token"])
                    body = json.dumps(answer).encode()
            return status, "", iter((body,))

        proxy.lie = lie
        stopped(ada.gatekeeper("run", "probe"), 125, *codes)
        assert forged, "nothing was forged, so this test shows nothing"
        stopped(ada.gatekeeper("run", "--offline", "probe"), 125, "GK601")
        proxy.lie = None
        assert ada.gatekeeper("run", "probe").status == 0

    def test_an_old_root_document(self, lying: tuple[Liar, Workstation]) -> None:
        """The next version is asked for and the old one comes: refused, and the one that is held stays."""
        proxy, ada = lying
        assert ada.gatekeeper("run", "probe").status == 0

        def lie(path: str, status: int, body: bytes) -> tuple[int, str, Iterator[bytes]]:
            if re.fullmatch(r"/\.well-known/gatekeeper/root/\d+", path):
                import urllib.request

                first = f"http://127.0.0.1:{ada.service.behind}/.well-known/gatekeeper/root/1"
                with urllib.request.urlopen(first, timeout=10) as answer:
                    return 200, "application/jose+json", iter((answer.read(),))
            return status, "", iter((body,))

        proxy.lie = lie
        done = ada.gatekeeper("sync")
        assert done.status == 7, done
        assert {"GK501", "GK503"} & set(CODE.findall(done.err)), done
        proxy.lie = None
        assert ada.gatekeeper("sync").status == 0

    def test_a_root_document_that_ran_out(self, own_ada: Workstation) -> None:
        """A hundred days on, nothing is decided by it: GK504, which is not a denial."""
        assert own_ada.gatekeeper("run", "probe").status == 0
        own_ada.service.stop()
        done = own_ada.gatekeeper("run", "probe", later="+101d")
        stopped(done, 125, "GK504", "GK601")

    def test_pins_of_another_service(self, ada: Workstation) -> None:
        """A service that the pinned root didn't sign for: nothing is sent to it, nothing launched."""
        ada.config_file.write_text(f'service = "{ada.service.issuer}"\ntrust_roots = ["{"A" * 43}"]\n')
        stopped(ada.gatekeeper("run", "probe"), 125, "GK501", "GK505", "GK201", "GK204")

    def test_ctrl_c_while_it_waits(self, lying: tuple[Liar, Workstation]) -> None:
        """Ctrl-C in the middle of a call: 130, no traceback, nothing started."""
        proxy, ada = lying
        proxy.lie = proxy.dribble
        for arguments in (("run", "probe"), ("sync",)):
            proxy.called.clear()
            with ada.terminal(*arguments) as terminal:
                assert proxy.called.wait(60)
                terminal.type(b"\x03")
                assert terminal.finish() == 130, terminal.screen
            assert "Traceback" not in terminal.screen
            assert "probe ran" not in terminal.screen


def _forger(data: Path, forgery: str) -> Callable[[str], str]:
    keys = load_keys(data)
    changes: dict[str, dict[str, object]] = {
        "iss": {"iss": "http://localhost:1"},
        "aud": {"aud": "http://localhost:1/launch"},
        "cnf": {"cnf": {"jkt": "A" * 43}},
        "scope": {"scope": "launch:claude"},
    }

    def forge(token: str) -> str:
        head, payload, signature = token.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(payload))
        match forgery:
            case "signature":
                return f"{head}.{payload}.{_flip(signature)}"
            case "unsigned":
                none = (
                    base64.urlsafe_b64encode(json.dumps({**header, "alg": "none"}).encode())
                    .decode()
                    .rstrip("=")
                )
                return f"{none}.{payload}."
            case "another purpose's key":
                return sign_token(keys.policy[0], typ=header["typ"], claims=claims)
            case "type":
                return sign_token(keys.approval[0], typ="gk-catalogue+jwt", claims=claims)
            case _:
                return sign_token(keys.approval[0], typ=header["typ"], claims={**claims, **changes[forgery]})

    return forge


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _flip(signature: str) -> str:
    return ("A" if signature[0] != "A" else "B") + signature[1:]


class TestWhereTheCredentialGoes:
    """A keyring, an announced file, or a refusal before the code is spent."""

    def test_no_keyring(self, newcomer: Workstation) -> None:
        """The file is used, and said; it is readable by its owner alone."""
        newcomer.extra = {"GATEKEEPER_CREDENTIAL_STORE": "keyring"}
        done = newcomer.sign_in()
        assert done.status == 0, done
        said = (done.out + done.err).replace("\n", " ")
        assert "readable by you alone" in said, done
        assert newcomer.gatekeeper("run", "probe").status == 0

    def test_no_keyring_and_no_file_allowed(self, newcomer: Workstation) -> None:
        """GK205 comes before the code is spent: where it is allowed, the same code works."""
        newcomer.extra = {"GATEKEEPER_CREDENTIAL_STORE": "keyring"}
        newcomer.config_file.write_text(f"allow_file_store = false\n{newcomer.service.config}")
        code = newcomer.service.invite(newcomer.subject)
        stopped(newcomer.gatekeeper("login", "--code", code), 7, "GK205")
        newcomer.config_file.write_text(newcomer.service.config)
        assert newcomer.gatekeeper("login", "--code", code).status == 0

    def test_a_real_keyring(self, newcomer: Workstation, tmp_path: Path) -> None:
        """Sign-in, renewal and sign-out through a real secret service; no secret in any file of ours."""
        newcomer.extra = {"GATEKEEPER_CREDENTIAL_STORE": "keyring", "XDG_RUNTIME_DIR": str(tmp_path)}
        code = newcomer.service.invite(newcomer.subject)
        script = tmp_path / "session.sh"
        script.write_text(
            "set -eu\n"
            "printf 'a password' | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n"
            f"gatekeeper login --code {code}\n"
            "gatekeeper run probe\n"
            "gatekeeper sync\n"
            'grep -rlE \'"d"|refresh\' "$HOME/.local/state" "$HOME/.local/share/gatekeeper" && exit 99\n'
            "gatekeeper logout\n"
        )
        parts.program("gnome-keyring-daemon")
        done = subprocess.run(
            [parts.program("dbus-run-session"), "--", "sh", str(script)],
            env=newcomer.environment,
            cwd=newcomer.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "kept in your keyring" in done.stdout
        assert "probe ran" in done.stdout


class TestTheSurroundings:
    """Home, working directory, terminal, pipes."""

    def test_no_home_directory(self, newcomer: Workstation, tmp_path: Path) -> None:
        """Without HOME and without an account's: GK106 says which variable to set."""
        (tmp_path / "passwd").write_text("")
        (tmp_path / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        nobody = parts.in_mount_namespace(
            f"for name in passwd nsswitch.conf; do mount --bind '{tmp_path}'/$name /etc/$name; done\nunset HOME"
        )
        for arguments, status in ((("run", "probe"), 125), (("status",), 7)):
            done = newcomer.gatekeeper(*arguments, before=nobody)
            stopped(done, status, "GK106")
            assert "HOME" in done.err

    def test_a_home_that_is_no_directory(self, newcomer: Workstation) -> None:
        """A home below a file gets words, not a traceback."""
        (newcomer.home / "file").write_text("")
        done = newcomer.gatekeeper("run", "probe", HOME=str(newcomer.home / "file" / "home"))
        assert done.status == 125, done
        assert CODE.search(done.err), done
        assert "Traceback" not in done.err, done

    def test_a_terminal_that_is_not_utf_8(self, ada: Workstation) -> None:
        """In the C locale every byte of the message is ASCII, and nothing is lost but the glyphs."""
        ada.extra = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        for arguments, status in ((("run", "claude"), 126), (("status",), 0), (("--help",), 0)):
            done = ada.gatekeeper(*arguments)
            assert done.status == status, done
            assert (done.out + done.err).isascii(), done
            assert "Traceback" not in done.err

    def test_a_working_directory_that_is_gone(self, ada: Workstation) -> None:
        """Where it is can't be known, so neither can the repository."""
        gone = ada.home / "gone"
        gone.mkdir()
        command = f"cd '{gone}' && rmdir '{gone}' && exec \"$@\""
        done = ada.gatekeeper("run", "probe", before=["sh", "-c", command, "sh"])
        assert (done.out, done.status in (125, 126)) == ("", True), done
        assert CODE.search(done.err), done
        assert "Traceback" not in done.err

    @pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "</dev/null >/dev/null 2>&-"])
    def test_closed_streams(self, ada: Workstation, redirection: str) -> None:
        """A closed stream changes neither the decision nor the exit status."""
        shell = ["sh", "-c", f'"$@" {redirection}', "sh"]
        done = ada.gatekeeper("run", "claude", before=shell)
        assert done.status == 126, done
        assert "Traceback" not in done.out + done.err

    def test_a_reader_that_has_gone(self, ada: Workstation) -> None:
        """`gatekeeper … | head -1` ends quietly."""
        done = ada.gatekeeper("--help", before=["bash", "-c", 'set -o pipefail; "$@" | head -1', "bash"])
        assert "Traceback" not in done.err, done
        assert "BrokenPipe" not in done.err, done

    def test_a_full_output(self, ada: Workstation) -> None:
        """An output that can't be written is said, with a status that isn't 0."""
        done = ada.gatekeeper("status", "--json", before=["sh", "-c", '"$@" > /dev/full', "sh"])
        assert done.status not in (0, 1), done
        assert "Traceback" not in done.err, done
