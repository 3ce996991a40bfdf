"""Token exchange: which CI job gets a launch token, and which gets none, against issuers with real keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.fakes.platform import GITLAB_CLAIMS, Platform, platform_key
from tests.service.local import CLIENT, ISSUER, REASON, LocalService, Workstation

from gatekeeper.documents.api import NewRequest
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.app import make_app
from gatekeeper.service.audit.log import entries
from gatekeeper.service.people.exchanges import KEEP_DEVICE_FOR, sweep_exchanges
from gatekeeper.service.people.subjects import find_subject
from gatekeeper.service.people.workload_keys import WorkloadKeys
from gatekeeper.service.people.workloads import ensure_workload, ensure_workloads, find_workload, parse_ci
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.store.tables.people import devices
from gatekeeper.service.worker import sweep
from gatekeeper.trust.sign import SigningKey

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
WEB = {"id": "ci:acme/web", "repository_id": 4711, "ref": "refs/heads/main", "environment": "production"}


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform of its own."""
    with Platform() as platform:
        yield platform


@pytest.fixture
def service(local: LocalService, platform: Platform) -> LocalService:
    """A service that takes the platform's tokens, as GitHub's, for one workload."""
    return trusting(local, {"platform": "github", "issuer": platform.issuer, "workloads": [WEB]})


def trusting(local: LocalService, *tables: dict[str, Any]) -> LocalService:
    """Let the service take the tokens that `[[ci]]` names."""

    async def fetch(address: str) -> bytes:
        async with httpx.AsyncClient() as client:
            answer = await client.get(address)
        if answer.status_code != 200:
            raise GatekeeperError("GK601", "no answer")
        return answer.content

    keys = WorkloadKeys(parse_ci(list(tables), issuer=ISSUER), fetch)
    local.service = local.service.replace(workload_keys=keys)
    local.app = make_app(local.service)
    return local


def exchange(job: Workstation, token: str, **changes: str) -> httpx.Response:
    """Exchange a token for the launch token of an open tool."""
    form = {
        "grant_type": EXCHANGE,
        "client_id": CLIENT,
        "subject_token": token,
        "subject_token_type": ID_TOKEN,
        "audience": f"{ISSUER}/launch",
        "scope": "launch:aider",
    } | changes
    return job.form("/oauth/token", {name: value for name, value in form.items() if value})


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Return what identifies a refusal."""
    members = answer.json()
    return answer.status_code, members["code"], members["error_description"]


def acts(local: LocalService) -> list[str]:
    """Return the acts on record."""
    with local.store.read() as tx:
        return [entry.act for entry in entries(tx)]


def grant(local: LocalService, tool: str = "claude") -> None:
    """Let a person approve the tool for the workload."""
    assert local.service.workload_keys is not None
    with local.store.write() as tx:
        workload = find_workload(local.service.workload_keys.issuers, "ci:acme/web")
        assert workload is not None
        subject = ensure_workload(tx, workload, now=local.now)
        request, _ = create_request(
            tx,
            policy=current_policy(tx, now=local.now),
            subject=subject,
            new=NewRequest(tool=tool, reason=REASON),
            idempotency_key="",
            now=local.now,
        )
    local.approve(request.id)


def test_a_job_gets_a_launch_token_for_half_an_hour(service: LocalService, platform: Platform) -> None:
    """The token is the workload's, bound to the job's key, not renewable; the answer is RFC 8693's."""
    job = Workstation(service)
    answer = exchange(job, platform.token(ISSUER, now=service.now))
    members = answer.json()
    assert answer.status_code == 200, members
    assert members["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in members
    token = service.verified(members["access_token"])
    assert (token.name, token.jkt, token.tool) == ("ci:acme/web", job.key.kid, "aider")
    assert token.expires_at == service.now + 1800
    assert "workload.signed_in" in acts(service)


def test_a_workload_needs_a_grant_of_its_own(service: LocalService, platform: Platform) -> None:
    """Without one GK301; once people approved it, the token names the grant. The refusal frees no token."""
    job, token = Workstation(service), platform.token(ISSUER, now=service.now)
    assert refusal(exchange(job, token, scope="launch:claude"))[1] == "GK301"
    assert refusal(exchange(Workstation(service), token, scope="launch:claude"))[1] == "GK201"
    grant(service)
    answer = exchange(job, token, scope="launch:claude")
    assert service.verified(answer.json()["access_token"]).grant == "G-1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repository_id": "4712"}, "no workload"),
        ({"repository_id": ["4711"]}, "no workload"),
        ({"repository_id": None}, "no workload"),
        ({"ref": "refs/heads/other"}, "no workload"),
        ({"ref": "refs/heads/main*"}, "no workload"),
        ({"environment": None}, "no workload"),
        ({"event_name": "pull_request"}, "fork"),
        ({"event_name": "pull_request_target"}, "fork"),
        ({"event_name": None}, "which event"),
        ({"aud": "https://elsewhere.example"}, "aud"),
        ({"aud": [ISSUER, "https://elsewhere.example"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"jti": None}, "jti"),
        ({"iat": None}, "iat"),
        ({"exp": 1_799_999_000}, "ended"),
        ({"exp": 1_900_000_000, "iat": 1_799_900_000}, "ended"),
        ({"nbf": 1_800_000_100}, "not valid yet"),
        ({"iat": 1_800_000_100}, "not valid yet"),
        ({"exp": 1_800_000_600.5}, "integer"),
        ({"iss": "https://token.actions.githubusercontent.com"}, "issuer"),
    ],
)
def test_other_claims_are_refused(
    service: LocalService, platform: Platform, changes: dict[str, Any], words: str
) -> None:
    """Each is refused as signed out, in words that help; nobody else is asked for keys."""
    code, gk, detail = refusal(
        exchange(Workstation(service), platform.token(ISSUER, now=service.now, **changes))
    )
    assert (code, gk) == (400, "GK201")
    assert words in detail


def test_a_name_alone_is_nobody(service: LocalService, platform: Platform) -> None:
    """A repository that was made anew under the old name has the old `sub` and another id."""
    token = platform.token(ISSUER, now=service.now, repository_id="9999")
    assert refusal(exchange(Workstation(service), token))[1] == "GK201"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "RSA"}},
        {"jku": "https://evil.example"},
        {"x5c": ["AA"]},
        {"typ": "at+jwt"},
        {"kid": ""},
    ],
)
def test_a_header_that_says_more_is_refused(
    service: LocalService, platform: Platform, header: dict[str, Any]
) -> None:
    """Nothing in a token says how it is verified."""
    token = platform.token(ISSUER, now=service.now, header=header)
    assert refusal(exchange(Workstation(service), token))[1] == "GK201"


def test_another_algorithm_is_refused(service: LocalService, platform: Platform) -> None:
    """PS256 by the right RSA key, and a token without a signature."""
    token = platform.token(ISSUER, now=service.now, header={"alg": "PS256"})
    assert refusal(exchange(Workstation(service), token))[:2] == (400, "GK201")
    bare = ".".join([*platform.token(ISSUER, now=service.now).split(".")[:2], ""])
    assert refusal(exchange(Workstation(service), bare))[1] == "GK201"


def test_a_strange_key_of_the_same_name_is_refused(service: LocalService, platform: Platform) -> None:
    """The signature counts, not the `kid`."""
    stranger = platform_key("stranger").as_dict(private=True) | {"kid": "one"}
    from joserfc.jwk import RSAKey

    token = platform.token(ISSUER, now=service.now, key=RSAKey.import_key(stranger))
    assert "signature" in refusal(exchange(Workstation(service), token))[2]


def test_the_first_key_alone_may_repeat_it(service: LocalService, platform: Platform) -> None:
    """The same key again, until the token's end; another is refused and recorded."""
    job, token = Workstation(service), platform.token(ISSUER, now=service.now)
    first = exchange(job, token).json()
    service.now += 300
    again = exchange(job, token).json()
    assert again["device"] == first["device"]
    assert "another key" in refusal(exchange(Workstation(service), token))[2]
    assert acts(service).count("workload.wrong_key") == 1
    assert acts(service).count("workload.signed_in") == 1
    service.now += 400
    assert "ended" in refusal(exchange(job, token))[2]


def test_a_new_token_of_the_same_job_has_the_same_device(service: LocalService, platform: Platform) -> None:
    """A job that goes on asks its platform again; its key stays its device."""
    job = Workstation(service)
    first = exchange(job, platform.token(ISSUER, now=service.now)).json()
    second = exchange(job, platform.token(ISSUER, now=service.now, jti="job-2")).json()
    assert first["device"] == second["device"]


def test_an_enrolled_devices_key_is_no_jobs(service: LocalService, platform: Platform) -> None:
    """Else a person's device would act as a workload."""
    station = service.workstation()
    assert refusal(exchange(station, platform.token(ISSUER, now=service.now)))[1] == "GK201"


def test_an_unknown_issuer_costs_no_call(service: LocalService, platform: Platform) -> None:
    """Only the configuration says whose keys are fetched."""
    with Platform() as stranger:
        token = stranger.token(ISSUER, now=service.now)
        assert "issuer" in refusal(exchange(Workstation(service), token))[2]
        assert stranger.asked == []
    assert platform.asked == []


def test_keys_rotate(service: LocalService, platform: Platform) -> None:
    """An unknown kid sends for newer keys, once a minute at most; known keys are fetched once an hour."""
    job = Workstation(service)
    assert exchange(job, platform.token(ISSUER, now=service.now)).status_code == 200
    asked = len(platform.asked)
    assert exchange(job, platform.token(ISSUER, now=service.now, jti="2")).status_code == 200
    assert len(platform.asked) == asked
    platform.keys.append(platform_key("two"))
    rotated = platform.token(ISSUER, now=service.now, jti="3")
    assert "no key" in refusal(exchange(job, rotated))[2]  # within the minute
    service.now += 61
    assert exchange(job, rotated).status_code == 200
    asked = len(platform.asked)
    for number in range(5):
        token = platform.token(ISSUER, now=service.now, jti=f"x{number}", header={"kid": f"made-up-{number}"})
        assert refusal(exchange(job, token))[1] == "GK201"
    assert len(platform.asked) == asked


def test_a_key_that_is_withdrawn_verifies_no_more(service: LocalService, platform: Platform) -> None:
    """After an hour the platform's word counts anew."""
    job = Workstation(service)
    exchange(job, platform.token(ISSUER, now=service.now))
    old = platform.keys[0]
    platform.keys = [platform_key("two")]
    service.now += 3601
    token = platform.token(ISSUER, now=service.now, jti="2", key=old)
    assert "no key" in refusal(exchange(job, token))[2]


def test_a_platform_that_is_down_is_no_denial(service: LocalService, platform: Platform) -> None:
    """503 while no key is known; while keys are known, they serve for a day."""
    platform.down = True
    job = Workstation(service)
    answer = exchange(job, platform.token(ISSUER, now=service.now))
    assert (answer.status_code, answer.json()["code"]) == (503, "GK603")
    platform.down = False
    service.now += 11
    assert exchange(job, platform.token(ISSUER, now=service.now)).status_code == 200
    platform.down = True
    service.now += 7200
    assert exchange(job, platform.token(ISSUER, now=service.now, jti="2")).status_code == 200
    service.now += 86_400
    assert exchange(job, platform.token(ISSUER, now=service.now, jti="3")).status_code == 503


@pytest.mark.parametrize(
    "changed",
    [{"issuer": "https://evil.example"}, {"jwks_uri": "https://evil.example/keys"}, {"jwks_uri": 7}],
)
def test_discovery_that_points_elsewhere_is_not_followed(
    service: LocalService, platform: Platform, changed: dict[str, Any]
) -> None:
    """Keys come from the issuer's own host, or from where the configuration says."""
    platform.discovery |= changed
    answer = exchange(Workstation(service), platform.token(ISSUER, now=service.now))
    assert answer.status_code == 503


def test_es256_by_a_configured_key_address(local: LocalService, platform: Platform) -> None:
    """A generic platform with keys of another kind; discovery isn't asked."""
    platform.keys = [platform_key("ec", "EC")]
    ci = {
        "platform": "generic",
        "issuer": platform.issuer,
        "audience": "gatekeeper",
        "jwks": f"{platform.issuer}/keys",
        "workloads": [{"id": "ci:build", "pipeline-id": "p-1"}],
    }
    trusting(local, ci)
    token = platform.token("gatekeeper", now=local.now, claims={"pipeline-id": "p-1"})
    assert exchange(Workstation(local), token).json()["name"] == "ci:build"
    assert platform.asked == ["/keys"]


def test_gitlab_matches_by_project_id(local: LocalService, platform: Platform) -> None:
    """GitLab's claims; a merge request's pipeline needs to be asked for by name."""
    web = {"id": "ci:acme/web", "project_id": 22, "ref_protected": "true"}
    trusting(local, {"platform": "gitlab", "issuer": platform.issuer, "workloads": [web]})
    job = Workstation(local)
    answer = exchange(job, platform.token([ISSUER], now=local.now, claims=GITLAB_CLAIMS))
    assert answer.json()["name"] == "ci:acme/web"
    for wrong in (
        {"project_id": "23"},
        {"pipeline_source": "merge_request_event"},
        {"ref_protected": "false"},
    ):
        token = platform.token(ISSUER, now=local.now, claims=GITLAB_CLAIMS | wrong, jti=str(wrong))
        assert refusal(exchange(job, token))[1] == "GK201"


def test_two_workloads_of_one_job_are_refused(local: LocalService, platform: Platform) -> None:
    """Whose grants count must not hang on an order."""
    both = [{"id": "ci:a", "repository_id": "4711"}, {"id": "ci:b", "repository_owner_id": "42"}]
    trusting(local, {"platform": "github", "issuer": platform.issuer, "workloads": both})
    assert "matches 2" in refusal(exchange(Workstation(local), platform.token(ISSUER, now=local.now)))[2]


def test_an_event_asked_for_by_name_is_taken(local: LocalService, platform: Platform) -> None:
    """Whoever names pull_request says that forks get no write tokens here."""
    web = {"id": "ci:acme/web", "repository_id": "4711", "event_name": ["push", "pull_request"]}
    trusting(local, {"platform": "github", "issuer": platform.issuer, "workloads": [web]})
    token = platform.token(ISSUER, now=local.now, event_name="pull_request")
    assert exchange(Workstation(local), token).status_code == 200


def test_a_job_reads_its_own_state_and_no_more(service: LocalService, platform: Platform) -> None:
    """An access token for the catalogue and its requests; it asks for nothing and revokes nothing."""
    job = Workstation(service)
    answer = exchange(job, platform.token(ISSUER, now=service.now), audience="", scope="")
    job.access = answer.json()["access_token"]
    assert job.call("GET", "/v1/me").json()["name"] == "ci:acme/web"
    assert job.call("GET", "/v1/catalogue").status_code == 200
    assert job.call("GET", "/v1/grants").json() == {"grants": []}
    assert job.request().status_code == 403
    assert job.call("GET", "/v1/devices").status_code == 403


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"audience": "https://gateway.example"}, "invalid_target"),
        ({"scope": "launch:a launch:b"}, "invalid_scope"),
        ({"audience": ""}, "invalid_scope"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"subject_token": "a.b.c"}, "invalid_grant"),
        ({"subject_token": "x" * 20_000}, "invalid_grant"),
        ({"subject_token": "é.b.c"}, "invalid_grant"),
    ],
)
def test_calls_that_cannot_be_understood(
    service: LocalService, platform: Platform, changes: dict[str, str], error: str
) -> None:
    """RFC 8693 §2.2.2's errors."""
    answer = exchange(Workstation(service), platform.token(ISSUER, now=service.now), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_deactivated_workload_gets_nothing(service: LocalService, platform: Platform) -> None:
    """As a person."""
    job = Workstation(service)
    exchange(job, platform.token(ISSUER, now=service.now))
    with service.store.write() as tx:
        tx.exec_driver_sql("UPDATE subjects SET state = 'deactivated' WHERE name = 'ci:acme/web'")
    assert refusal(exchange(job, platform.token(ISSUER, now=service.now, jti="2")))[1] == "GK201"


def test_jobs_are_forgotten(service: LocalService, platform: Platform) -> None:
    """Exchanges with the token, devices with the last status entry that names them; enrolled ones stay."""
    service.workstation()
    exchange(Workstation(service), platform.token(ISSUER, now=service.now))
    with service.store.write() as tx:
        assert sweep_exchanges(tx, service.now + 661) == 1
        assert len(tx.execute(devices.select()).all()) == 2
    sweep(service.store, now=service.now + KEEP_DEVICE_FOR + 3600)
    sweep(service.store, now=service.now + KEEP_DEVICE_FOR + 3600)
    with service.store.read() as tx:
        assert [row.state for row in tx.execute(devices.select())] == ["active"]


def test_people_can_ask_for_a_workload_before_its_first_job(local: LocalService) -> None:
    """A service that starts knows the workloads of its configuration, once."""
    ci = parse_ci([{"platform": "github", "workloads": [WEB]}], issuer=ISSUER)
    with local.store.write() as tx:
        ensure_workloads(tx, ci, now=local.now)
        ensure_workloads(tx, ci, now=local.now)
        found = find_subject(tx, "ci:acme/web")
    assert found is not None
    assert found.kind == "workload"


def test_without_platforms_there_is_no_exchange(local: LocalService, platform: Platform) -> None:
    """A service without [[ci]] takes no platform's tokens."""
    assert refusal(exchange(Workstation(local), platform.token(ISSUER, now=local.now)))[1] == "GK201"


def test_the_same_key_may_not_be_two_workloads(local: LocalService, platform: Platform) -> None:
    """A key is one job's."""
    both = [{"id": "ci:a", "repository_id": "1"}, {"id": "ci:b", "repository_id": "2"}]
    trusting(local, {"platform": "github", "issuer": platform.issuer, "workloads": both})
    job = Workstation(local)
    job.key = SigningKey.generate()
    assert exchange(job, platform.token(ISSUER, now=local.now, repository_id="1")).status_code == 200
    second = platform.token(ISSUER, now=local.now, repository_id="2", jti="2")
    assert refusal(exchange(job, second))[1] == "GK201"
