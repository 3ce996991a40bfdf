"""Where `gatekeeper demo` plays: a temporary directory, a home in it, a service process, and commands that are shown.

Every process gets an environment that points into the directory alone. Leaving the stage ends the service and
removes everything, whatever happened, Ctrl-C and SIGTERM included.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection, HTTPException
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gatekeeper.cli.formats.text import look_of, paint, say, waiting, write
from gatekeeper.decision.decide import recognise
from gatekeeper.decision.facts import Recognised
from gatekeeper.documents.launch_token import parse_identities
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.launch.find import examine, find
from gatekeeper.vendors.catalogue import load_builtin
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.state import MANAGED_DIRECTORY, MANAGED_FILE

if TYPE_CHECKING:
    from types import FrameType

DEMONSTRATION_TOOL = "demo-assistant"
_STEP_FOR = 60.0
_START_FOR = 30.0
_STOP_FOR = 10.0
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "NO_COLOR", "TMPDIR", "SSL_CERT_FILE")


def refuse_on_managed() -> None:
    """Refuse where device management pins the service: a demonstration beside it could only talk to the real one.

    Raises:
        GatekeeperError: GK102.
    """
    if Path(MANAGED_FILE).exists() or Path(MANAGED_DIRECTORY).is_dir():
        raise GatekeeperError(
            "GK102",
            "Device management names this machine's service, so a service for a demonstration can't be used here.",
            remedy="gatekeeper status",
        )


def installed_tool(path: str) -> str | None:
    """Return the first tool of the built-in catalogue that PATH holds and that is recognised as what it is."""
    world = PosixWorld()
    for tool, facts in load_builtin()["tools"].items():
        try:
            found = find(world, tuple(facts.get("executables", (tool,))), path=path, own=frozenset())
            if isinstance(found, str):
                executable = examine(world, found, digest_of=lambda _stat: "")
                if isinstance(recognise(executable, parse_identities(facts)), Recognised):
                    return str(tool)
        except (OSError, Malformed):
            continue
    return None


class Stage:
    """The directory, the service and the commands. Use it in a `with`."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._finished = False
        self._service: subprocess.Popen[bytes] | None = None
        self._signals: dict[int, object] = {}
        self._stdout = ""
        self.place = Path()
        self.path = os.environ.get("PATH", os.defpath)

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._signals[number] = signal.signal(number, _interrupt)
        self.place = Path(tempfile.mkdtemp(prefix="gatekeeper-demo-")).resolve()
        for folder in (self.home, self.work, self._tools):
            folder.mkdir(parents=True)
        self._port = _free_port()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if not (self._keep and kind is None):
            # A second Ctrl-C must not leave half of it behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                self.stop_service()
            finally:
                shutil.rmtree(self.place, ignore_errors=True)
                signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, before in self._signals.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    @property
    def home(self) -> Path:
        """Ada's home."""
        return self.place / "home"

    @property
    def work(self) -> Path:
        """Where Ada works."""
        return self.home / "work"

    @property
    def data(self) -> Path:
        """The service's data directory."""
        return self.place / "service"

    @property
    def _tools(self) -> Path:
        return self.place / "bin"

    @property
    def issuer(self) -> str:
        """The service's address."""
        return f"http://localhost:{self._port}"

    @property
    def service_pid(self) -> int:
        """The running service's process."""
        return self._service.pid if self._service else 0

    def settings(self) -> dict[str, str]:
        """Return the variables that lead gatekeeper here instead of to the person's own directories."""
        return {
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "GATEKEEPER_CREDENTIAL_STORE": "file",
            "PATH": f"{self._tools}:$PATH",
        }

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # A clone that is run without being installed is found by the commands as well.
        source = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
        own = {"HOME": str(self.home), "GATEKEEPER_NO_INPUT": "1", "PATH": f"{self._tools}:{self.path}"}
        return {**kept, **source, **self.settings(), **own}

    def policy_options(self, tool: str) -> tuple[str, ...]:
        """Return how `service init` learns of the demonstration tool; nothing for one of the built-in catalogue."""
        if tool != DEMONSTRATION_TOOL:
            return ()
        shipped = resources.files("gatekeeper.cli").joinpath("demonstration", DEMONSTRATION_TOOL).read_bytes()
        copy = self._tools / DEMONSTRATION_TOOL
        copy.write_bytes(shipped)
        copy.chmod(0o755)
        folder = self.place / "policy"
        folder.mkdir()
        well_known = "".join(f'[tools.{name}]\naccess = "approval"\n' for name in load_builtin()["tools"])
        (folder / "catalogue.toml").write_text(
            '[organisation]\nname = "Acme"\nhelp = "#ai-approvals"\n'
            '[defaults]\naccess = "approval"\n'
            '[vendors.demonstration]\nname = "gatekeeper (no vendor)"\n'
            f"[tools.{DEMONSTRATION_TOOL}]\n"
            'name = "Demonstration tool (not a real assistant)"\nvendor = "demonstration"\n'
            f'executables = ["{DEMONSTRATION_TOOL}"]\n'
            f'identity = [{{ sha256 = ["{hashlib.sha256(shipped).hexdigest()}"] }}]\n' + well_known,
            encoding="utf-8",
        )
        return ("--policy", str(folder))

    def operate(
        self, *arguments: str, expect: int | None = 0, find: str = "", configures: bool = False
    ) -> str:
        """Run `gatekeeper service …`; `configures` puts its stdout into Ada's configuration. See `gatekeeper`."""
        command = ("service", *arguments, "--data", str(self.data))
        out = self.gatekeeper(*command, expect=expect, find=find)
        if configures:
            file = self.home / ".config" / "gatekeeper" / "config.toml"
            file.parent.mkdir(parents=True)
            file.write_text(self._stdout, encoding="utf-8")
        return out

    def gatekeeper(self, *arguments: str, expect: int | None = 0, find: str = "") -> str:
        """Show a command, run it, show what it said; return what `find` finds in it.

        Raises:
            GatekeeperError: GK901, it ended otherwise than expected. None expects nothing in particular.
        """
        look = look_of(sys.stdout)
        say("")
        write(sys.stdout, f"{paint(f'  $ gatekeeper {_shown(arguments)}', 'dim', look)}\n")
        with waiting("Working"):
            done = subprocess.run(
                [sys.executable, "-m", "gatekeeper", *arguments],
                env=self._environment(),
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_STEP_FOR,
            )
        self._stdout = done.stdout.decode("utf-8", "replace")
        said = self._stdout + done.stderr.decode("utf-8", "replace")
        for line in said.splitlines():
            say(f"  {line}")
        if done.returncode:
            say(f"  (exit status {done.returncode})")
        found = re.search(find, said)
        if (expect is not None and done.returncode != expect) or found is None:
            raise GatekeeperError(
                "GK901",
                f"`gatekeeper {arguments[0]}` should have ended with {expect}; it ended with {done.returncode}.",
            )
        return found[0]

    def start_service(self) -> None:
        """Start the service process and wait until it answers.

        Raises:
            GatekeeperError: GK901, it doesn't.
        """
        listen = f"127.0.0.1:{self._port}"
        command = ("service", "start", "--data", str(self.data), "--listen", listen)
        say("")
        write(sys.stdout, f"{paint(f'  $ gatekeeper {_shown(command)} &', 'dim', look_of(sys.stdout))}\n")
        with (self.place / "service.log").open("ab") as log:
            self._service = subprocess.Popen(
                [sys.executable, "-m", "gatekeeper", *command],
                env=self._environment(),
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ends_at = time.monotonic() + _START_FOR
        with waiting("Starting the service"):
            while not self._serves():
                if self._service.poll() is not None or time.monotonic() > ends_at:
                    log_text = (self.place / "service.log").read_text("utf-8", "replace")
                    raise GatekeeperError("GK901", f"The service didn't start: {log_text[-500:]}")
                time.sleep(0.05)

    def _serves(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop_service(self) -> None:
        """End the service process, as an operator would."""
        process, self._service = self._service, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_STOP_FOR)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _shown(arguments: tuple[str, ...]) -> str:
    return shlex.join(arguments)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
