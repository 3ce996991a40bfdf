"""Measures a launch beside its peers: `make benchmark`, or `python -m benchmarks.launch [ROUNDS]`.

gatekeeper comes from a wheel in an environment of its own, compiled, never from an editable install; a real
service issued the token. Every command runs once a round, in shuffled order, so that a slow moment of the machine
falls on all of them; what counts is the median of each round's ratio to `python -c pass`. Writes REPORT.md.
"""

from __future__ import annotations

import hashlib
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.parts import install_wheel
from tests.e2e.workplace import Service, Workstation, run, running

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUNDS = 100
WARM_LIMIT, COLD_LIMIT = 1.5, 12.0
FORBIDDEN = (
    "typer", "click", "rich", "httpx", "keyring", "platformdirs", "cryptography", "dataclasses", "logging",
    "pathlib", "subprocess", "json", "re", "enum", "typing", "tomllib", "collections", "functools", "contextlib",
)  # fmt: skip
BASE, WARM = "python -c pass", "gatekeeper run noop (warm)"
REPORT = Path(__file__).parent / "REPORT.md"


@dataclass(frozen=True)
class Contender:
    """One command of the comparison, and the most that its ratio may be."""

    name: str
    command: Sequence[str]
    limit: float | None = None


def contenders(workstation: Workstation, tools: Path) -> list[Contender]:
    """List what can be compared on this machine."""
    gatekeeper = str(workstation.command)
    found = [
        Contender("true", [str(tools / "noop")]),
        Contender(BASE, [str(workstation.command.parent / "python"), "-c", "pass"]),
        Contender(WARM, [gatekeeper, "run", "noop"], WARM_LIMIT),
        Contender("gatekeeper status", [gatekeeper, "status"], COLD_LIMIT),
        Contender("gatekeeper --help", [gatekeeper, "--help"], COLD_LIMIT),
    ]
    direnv, sudo = shutil.which("direnv"), shutil.which("sudo")
    uv = Path(sys.executable).parent / "uv"
    if direnv:
        found.append(
            Contender("direnv exec", [direnv, "exec", str(workstation.home / "work"), str(tools / "noop")])
        )
    if sudo:
        found.append(Contender("sudo -n", [sudo, "-n", str(tools / "noop")]))
    if uv.exists():
        python = str(workstation.command.parent / "python")
        found.append(
            Contender("uv run", [str(uv), "run", "--no-project", "--python", python, str(tools / "noop")])
        )
    return found


def timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, int]:
    """Run a command with its output thrown away; return the wall time in seconds and the exit status."""
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], list(command), dict(environment), file_actions=quiet)
    _, status, _ = os.wait4(pid, 0)
    return time.perf_counter() - started, os.waitstatus_to_exitcode(status)


def measure(
    candidates: Sequence[Contender], environment: Mapping[str, str], rounds: int
) -> dict[str, list[float]]:
    """Run every candidate once a round, in another order each time; drop those that don't end with 0."""
    usable = []
    for candidate in candidates:
        if timed(candidate.command, environment)[1] == 0:
            usable.append(candidate)
        else:
            sys.stderr.write(f"{candidate.name} doesn't work here and is left out\n")
    times: dict[str, list[float]] = {candidate.name: [] for candidate in usable}
    order = random.Random(1)
    for _ in range(rounds):
        for candidate in order.sample(usable, len(usable)):
            seconds, status = timed(candidate.command, environment)
            if status:
                raise RuntimeError(f"{candidate.name} ended with {status}")
            times[candidate.name].append(seconds)
    return times


def configured(workstation: Workstation) -> dict[str, str]:
    """Move what a test's environment says into the person's `config.toml`, as IT ships it; return what is left.

    A variable of gatekeeper's is merged over the files anew at each launch, which takes five modules more.
    """
    environment = dict(workstation.environment)
    store = environment.pop("GATEKEEPER_CREDENTIAL_STORE")
    with workstation.config_file.open("a", encoding="utf-8") as file:
        file.write(f'credential_store = "{store}"\n')
    return environment


def loaded_modules(workstation: Workstation, environment: Mapping[str, str]) -> list[str]:
    """Return the modules that a warm launch imports, in order, as the interpreter itself tells."""
    python = workstation.command.parent / "python"
    command = [str(python), "-X", "importtime", str(workstation.command), "run", "noop"]
    done = run(command, environment=environment, cwd=workstation.home / "work")
    lines = [line for line in done.err.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


def render(
    candidates: Sequence[Contender], times: Mapping[str, Sequence[float]], modules: Sequence[str]
) -> str:
    """Write the report: medians, and medians of the paired ratios."""
    base = times[BASE]
    rows = []
    for candidate in candidates:
        own = times.get(candidate.name)
        if own is None:
            continue
        ratio = statistics.median(mine / other for mine, other in zip(own, base, strict=True))
        verdict = ""
        if candidate.limit is not None:
            verdict = f"at most {candidate.limit}: {'yes' if ratio <= candidate.limit else 'NO'}"
        rows.append(f"| `{candidate.name}` | {statistics.median(own) * 1000:.2f} | {ratio:.2f} | {verdict} |")
    heavy = sorted({module.partition(".")[0] for module in modules} & set(FORBIDDEN))
    ours = [module for module in modules if module.partition(".")[0] == "gatekeeper"]
    return "\n".join(
        [
            "# A launch beside its peers",
            "",
            f"{len(base)} rounds, every command once a round in shuffled order; wall time from spawn to exit, output thrown "
            "away. The ratio is the median of each round's ratio to `python -c pass`. Made by `make benchmark`.",
            "",
            f"Machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
            f"{platform.python_implementation()} {platform.python_version()}. Compare inside the table only.",
            "",
            "| command | median ms | × `python -c pass` | limit |",
            "|---|--:|--:|---|",
            *rows,
            "",
            f"The warm launch verifies root document and token, and loads {len(ours)} modules of gatekeeper's own. "
            f"Of the modules that a launch must not load it loads: {', '.join(heavy) or 'none'}.",
            "",
        ]
    )


def main(rounds: int) -> None:
    """Set everything up, measure, write the report."""
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as name:
        place = Path(name)
        tools = place / "tools"
        tools.mkdir()
        shutil.copy(shutil.which("true") or "/bin/true", tools / "noop")
        digest = hashlib.sha256((tools / "noop").read_bytes()).hexdigest()
        policy = (
            '[vendors.in-house]\nname = "Acme"\n'
            '[tools.noop]\nname = "Noop"\nvendor = "in-house"\naccess = "approval"\n'
            f'executables = ["noop"]\nidentity = [{{ sha256 = ["{digest}"] }}]\n'
        )
        command = install_wheel(place / "installed") / "gatekeeper"
        with running(Service(command, place / "service", policy)) as service:
            workstation = Workstation(command, place / "home", [tools], service, "ada@acme.example")
            for done in (workstation.sign_in(),):
                if done.status:
                    raise RuntimeError(str(done))
            workstation.get_approved("noop")
            environment = configured(workstation)
            first = run([command, "run", "noop"], environment=environment, cwd=workstation.home / "work")
            if first.status:
                raise RuntimeError(str(first))
            candidates = contenders(workstation, tools)
            modules = loaded_modules(workstation, environment)
            times = measure(candidates, environment, rounds)
        report = render(candidates, times, modules)
    REPORT.write_text(report, encoding="utf-8")
    sys.stdout.write(report)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
