"""CI jobs: where a platform's ID token is at hand, a job signs in by itself, for itself, and for no longer.

GitHub Actions gives a job an address to ask at (`permissions: id-token: write`), GitLab puts a token into a
variable (`id_tokens`). Such a job's state and key stand in a folder of its own, in the job's temporary
directory: on a runner that many jobs share, one job's approval must never be another's. Nobody is asked anything.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from gatekeeper.client.credentials import JOB
from gatekeeper.client.http import Http
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import MAX_TOKEN_BYTES, parse_object, text_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.workstation.settings import Settings

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name of RFC 8693 §3
TOKEN_VARIABLE = "GATEKEEPER_ID_TOKEN"  # noqa: S105 - a variable's name
TOKEN_TIMEOUT = 10.0
GITHUB, GITLAB, OTHER = "GitHub Actions", "GitLab CI", "CI"
_TEMPORARY = ("RUNNER_TEMP", "CI_BUILDS_DIR", "TMPDIR")
_HELP = {
    GITHUB: (
        "permissions:",
        "  id-token: write",
        "  contents: read",
    ),
    GITLAB: (
        "id_tokens:",
        f"  {TOKEN_VARIABLE}:",
        "    aud: SERVICE",
    ),
}


class Job(Value):
    """A job that can prove who it is: by `token`, or by one that is had at `address` with the secret `bearer`."""

    platform: str
    token: str
    address: str
    bearer: str
    temporary: str

    def __repr__(self) -> str:
        return f"Job({self.platform!r})"

    @property
    def folder(self) -> str:
        """The folder of the job's state. Its name hangs on the job's own secret: nobody can make it beforehand."""
        mark = sha256(f"gatekeeper job 1\0{self.token or self.bearer}".encode("utf-8", "replace")).hexdigest()
        return f"{self.temporary}/gatekeeper-{mark[:32]}"


def platform_of(environment: Mapping[str, str]) -> str:
    """Return the CI platform that seems to run this process, "" for none that is known."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GITHUB
    return GITLAB if environment.get("GITLAB_CI") == "true" else ""


def job_of(environment: Mapping[str, str]) -> Job | None:
    """Return the job that this process is part of, None where no token is at hand."""
    platform, token = platform_of(environment), environment.get(TOKEN_VARIABLE, "").strip()
    address = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "") if platform == GITHUB else ""
    bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not token and not (address and bearer):
        return None
    chosen = (environment.get(name, "") for name in _TEMPORARY)
    temporary = next((place.rstrip("/") for place in chosen if place.startswith("/")), "/tmp")  # noqa: S108 - see `folder`
    return Job(
        platform=platform or OTHER,
        token=token,
        address="" if token else address,
        bearer="" if token else bearer,
        temporary=temporary,
    )


def job_name(environment: Mapping[str, str]) -> str:
    """Return what to call the job among its people."""
    number = environment.get("GITHUB_RUN_ID") or environment.get("CI_JOB_ID") or ""
    return f"{platform_of(environment) or OTHER} {number}".strip()[:64]


def job_settings(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Return the settings of a job where one runs: its own folder and credential. Else the same settings.

    A state directory that the pipeline names is kept, so that a later step may find it.
    """
    job = job_of(environment)
    if job is None or not settings.service:
        return settings
    named = environment.get("GATEKEEPER_STATE_DIR", "")
    directory = settings.state_directory if named else job.folder
    return settings.replace(state_directory=directory, credential_store=JOB, no_input=True)


def fetch_id_token(job: Job, *, audience: str) -> str:
    """Return an ID token for the service, asking the platform where the job has none.

    Raises:
        ServiceUnreachable: GK601, GK602, the platform gives none.
        GatekeeperError: GK101, its address can't be used.
    """
    if job.token:
        return job.token
    parts = urlsplit(job.address)
    if parts.scheme not in ("https", "http") or not parts.netloc or "@" in parts.netloc:
        raise GatekeeperError("GK101", "ACTIONS_ID_TOKEN_REQUEST_URL is no address.")
    query = f"{parts.query}&" if parts.query else ""
    path = f"/{parts.path.lstrip('/')}?{query}audience={quote(audience, safe='')}"
    headers = {"Authorization": f"Bearer {job.bearer}", "Accept": "application/json"}
    # The certificates are the platform's affair, not those that `ca_bundle` pins for the service.
    with Http(f"{parts.scheme}://{parts.netloc}", ca_bundle="", timeout=TOKEN_TIMEOUT) as http:
        reply = http.send("GET", path, headers=headers)
    if reply.status != 200:
        raise ServiceUnreachable(
            "GK601", f"{job.platform} gives this job no ID token: it answers {reply.status}."
        )
    try:
        return text_of(
            parse_object(reply.body, max_bytes=4 * MAX_TOKEN_BYTES), "value", max_chars=MAX_TOKEN_BYTES
        )
    except Malformed as error:
        raise ServiceUnreachable(
            "GK602", f"{job.platform} gives this job no ID token: {error.reason}."
        ) from error


def exchange_form(token: str, form: Mapping[str, str]) -> dict[str, str]:
    """Return the form of an exchange (RFC 8693 §2.1) for what a renewal asks with `form`."""
    wanted = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN}
    if form.get("resource"):
        wanted |= {"audience": form["resource"], "scope": form["scope"]}
    return wanted


def missing_token(environment: Mapping[str, str]) -> str:
    """Say what a job lacks that runs on a known platform without a token, "" elsewhere."""
    platform = platform_of(environment)
    if not platform or job_of(environment) is not None:
        return ""
    return f"This is a job of {platform}, and no ID token is at hand by which it could sign in."


def help_lines(environment: Mapping[str, str], *, service: str) -> tuple[str, ...]:
    """Return the lines of YAML that give such a job its token; none where none is missing."""
    if not missing_token(environment):
        return ()
    return tuple(line.replace("SERVICE", service) for line in _HELP[platform_of(environment)])
