"""Jobs of GitHub Actions and GitLab: they sign in by themselves, for themselves, and for no longer than they last."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.workplace import Finished, Service, run
from tests.fakes.platform import GITLAB_CLAIMS, Platform

CI = """
[[ci]]
platform = "{platform}"
issuer = "{issuer}"
workloads = [{{ id = "ci:acme/web", {claim} }}]
"""


class Runner:
    """A runner: one home and one temporary directory, in which jobs run one after another."""

    def __init__(self, command: Path, toolbox: Path, service: Service, place: Path) -> None:
        self.command, self.service, self.home, self.temporary = (
            command,
            service,
            place / "home",
            place / "temp",
        )
        self.config = self.home / ".config" / "gatekeeper" / "config.toml"
        self.config.parent.mkdir(parents=True)
        self.temporary.mkdir()
        self.config.write_text(service.config)
        self.path = f"{command.parent}:{toolbox}:/usr/bin:/bin"

    def job(self, *arguments: str, **environment: str) -> Finished:
        """Run one command in a job."""
        given = {"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8", "CI": "true", **environment}
        return run([self.command, *arguments], environment=given, cwd=self.home)

    def github(self, platform: Platform) -> dict[str, str]:
        """What a job of GitHub Actions has with `id-token: write`."""
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "900",
            "RUNNER_TEMP": str(self.temporary),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{platform.issuer}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret",
        }

    def gitlab(self, token: str) -> dict[str, str]:
        """What a job of GitLab has with `id_tokens`."""
        return {
            "GITLAB_CI": "true",
            "CI_JOB_ID": "501",
            "CI_BUILDS_DIR": str(self.temporary),
            "GATEKEEPER_ID_TOKEN": token,
        }


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform that gives its jobs tokens."""
    with Platform() as platform:
        yield platform


def served(command: Path, policy: str, place: Path, text: str) -> Iterator[Service]:
    """Serve with a section of service.toml."""
    service = Service(command, place, policy)
    assert service.init().status == 0
    with (service.data / "service.toml").open("a") as file:
        file.write(text)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def github(command: Path, policy: str, tmp_path: Path, platform: Platform) -> Iterator[Service]:
    """A service that takes GitHub's tokens of one repository."""
    text = CI.format(platform="github", issuer=platform.issuer, claim='repository_id = "4711"')
    yield from served(command, policy, tmp_path / "service", text)


@pytest.fixture
def gitlab(command: Path, policy: str, tmp_path: Path, platform: Platform) -> Iterator[Service]:
    """A service that takes GitLab's tokens of one project."""
    text = CI.format(platform="gitlab", issuer=platform.issuer, claim="project_id = 22")
    yield from served(command, policy, tmp_path / "service", text)


@pytest.fixture
def runner(github: Service, command: Path, toolbox: Path, tmp_path: Path) -> Runner:
    """A runner of the repository that the service knows."""
    return Runner(command, toolbox, github, tmp_path)


def now() -> int:
    """Return the time by which the service's process goes."""
    return int(time.time())


def test_a_github_job_checks_runs_and_sees_itself(
    github: Service, platform: Platform, runner: Runner
) -> None:
    """No login, no key in a secret: the job's own token is asked for, with the service as its audience."""
    job = runner.github(platform)
    platform.job_token = platform.token(github.issuer, now=now())
    checked = runner.job("check", "probe", **job)
    assert checked.status == 0, checked
    assert platform.tokens_asked[0] == github.issuer.replace(":", "%3A").replace("/", "%2F")
    started = runner.job("run", "probe", "arguments", "a b", **job)
    assert (started.status, started.out) == (0, "[a b]\n"), started
    seen = runner.job("status", "--json", **job)
    assert seen.status == 0, seen
    assert seen.json()["subject"] == "ci:acme/web"
    refused = runner.job("check", "probe-approval", **job)
    assert (refused.status, "GK301" in refused.err) == (3, True), refused


def test_a_jobs_state_is_its_own(github: Service, platform: Platform, runner: Runner) -> None:
    """Everything stands in the job's folder, 0600 in 0700; another job on the same runner finds nothing of it."""
    platform.job_token = platform.token(github.issuer, now=now())
    assert runner.job("check", "probe", **runner.github(platform)).status == 0
    (folder,) = runner.temporary.iterdir()
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    # The configuration's snapshot is every job's; nothing else may be.
    assert [path.name for path in runner.home.rglob("*.json")] == ["config.json"]
    key = json.loads((folder / "credentials" / "default.json").read_text())["device_key_jwk"]
    platform.job_token = platform.token(github.issuer, now=now(), jti="job-2", repository_id="9999")
    other = runner.github(platform) | {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{platform.issuer}/token?second=1"}
    other["GATEKEEPER_ID_TOKEN"] = platform.job_token
    refused = runner.job("check", "probe", **other)
    assert (refused.status, "GK201" in refused.err) == (4, True), refused
    assert "no workload" in " ".join(refused.err.split())
    assert key not in [
        path.read_text() for path in runner.temporary.rglob("*.json") if folder not in path.parents
    ]


def test_a_copied_token_is_of_no_use(
    github: Service, platform: Platform, command: Path, toolbox: Path, tmp_path: Path
) -> None:
    """A token that one job exchanged, found in its log, is refused to another's key."""
    runner = Runner(command, toolbox, github, tmp_path)
    token = platform.token(github.issuer, now=now())
    first = runner.gitlab(token) | {"GITLAB_CI": ""}
    assert runner.job("check", "probe", **first).status == 0
    other = Runner(command, toolbox, github, tmp_path / "elsewhere")
    refused = other.job("check", "probe", **(first | {"CI_BUILDS_DIR": str(other.temporary)}))
    assert (refused.status, "GK201" in refused.err) == (4, True), refused
    assert "exchanged before" in " ".join(refused.err.split())


def test_a_gitlab_job_uses_its_one_token_again(
    gitlab: Service, platform: Platform, command: Path, toolbox: Path, tmp_path: Path
) -> None:
    """GitLab gives one token a job; several commands of the job use it."""
    runner = Runner(command, toolbox, gitlab, tmp_path)
    job = runner.gitlab(platform.token(gitlab.issuer, now=now(), claims=GITLAB_CLAIMS))
    assert runner.job("check", "probe", **job).status == 0
    assert runner.job("sync", **job).status == 0
    assert runner.job("status", **job).status == 0


def test_a_merge_request_of_a_fork_is_refused(
    gitlab: Service, platform: Platform, command: Path, toolbox: Path, tmp_path: Path
) -> None:
    """Also where a member started its pipeline in the parent project."""
    runner = Runner(command, toolbox, gitlab, tmp_path)
    claims = GITLAB_CLAIMS | {"pipeline_source": "merge_request_event"}
    refused = runner.job(
        "check", "probe", **runner.gitlab(platform.token(gitlab.issuer, now=now(), claims=claims))
    )
    assert (refused.status, "fork" in refused.err) == (4, True), refused


@pytest.mark.parametrize(
    ("variable", "line"), [("GITHUB_ACTIONS", "id-token: write"), ("GITLAB_CI", "GATEKEEPER_ID_TOKEN:")]
)
def test_without_a_token_the_job_is_told_what_to_add(runner: Runner, variable: str, line: str) -> None:
    """GK201 with the lines of YAML, and nobody is waited for."""
    for words in (("check", "probe"), ("run", "probe")):
        refused = runner.job(*words, GATEKEEPER_CREDENTIAL_STORE="file", **{variable: "true"})
        expected = 4 if words[0] == "check" else 125
        assert (refused.status, "GK201" in refused.err) == (expected, True), refused
        assert line in refused.err
        assert "no ID token is at hand" in " ".join(refused.err.split())


def test_a_platform_that_gives_no_token_is_no_denial(platform: Platform, runner: Runner) -> None:
    """Couldn't decide: 6."""
    platform.down = True
    undecided = runner.job("check", "probe", **runner.github(platform))
    assert (undecided.status, "GK601" in undecided.err) == (6, True), undecided
