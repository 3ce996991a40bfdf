"""Provisioning over HTTP: what Entra and Okta say to a service, what it keeps, and what ends when somebody leaves."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tests.service.access.office import FILES
from tests.service.local import ISSUER, REASON, LocalService, Workstation

from gatekeeper.documents.api import NewRequest
from gatekeeper.documents.status_list import SUSPENDED, VALID
from gatekeeper.service.access.break_glass import break_glass
from gatekeeper.service.access.requests import create_request, pending_requests
from gatekeeper.service.access.reviews import STEP_UP
from gatekeeper.service.app import make_app
from gatekeeper.service.audit.log import entries
from gatekeeper.service.people.scim_settings import ScimSettings, make_token
from gatekeeper.service.people.subjects import Subject, ensure_subject, find_subject, get_subject
from gatekeeper.service.policy.folder import apply_policy, current_policy
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.routes import OPERATIONS

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    """The company's directory: it holds the token and speaks SCIM."""

    def __init__(self, local: LocalService) -> None:
        settings = ScimSettings(token_file=local.data / "scim.token")
        self.token = make_token(settings, keep=False)
        self.local = local
        local.service = local.service.replace(scim=settings)
        local.app = make_app(local.service)

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> httpx.Response:
        """Make one call."""
        given = {"authorization": f"Bearer {self.token if token is None else token}", **headers}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("content-type", "application/scim+json; charset=utf-8")
        return self.local.send(method, f"/scim/v2{path}", headers=given, content=content)

    def person(self, name: str = "ada@acme.example", **more: Any) -> str:
        """Provision somebody and return the id."""
        answer = self.call("POST", "/Users", {"schemas": [USER], "userName": name, "active": True} | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def group(self, name: str, *members: str) -> str:
        """Provision a group and return its id."""
        listed = [{"value": member} for member in members]
        answer = self.call("POST", "/Groups", {"schemas": [GROUP], "displayName": name, "members": listed})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
        """Change something."""
        return self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)

    def subject(self, name: str = "ada@acme.example") -> Subject:
        """Return what the service knows of somebody."""
        with self.local.store.read() as tx:
            found = find_subject(tx, name)
        assert found is not None
        return found

    def acts(self) -> list[str]:
        """Return the acts on record."""
        with self.local.store.read() as tx:
            return [entry.act for entry in entries(tx) if entry.actor == "directory"]


@pytest.fixture
def directory(local: LocalService) -> Directory:
    """A directory that provisions the service."""
    return Directory(local)


def attributes(subject: Subject) -> dict[str, str]:
    """Return a subject's attributes."""
    return dict(subject.attributes)


# Two directories, as they speak


def test_entra_provisions_changes_and_removes_somebody(directory: Directory) -> None:
    """Entra ID's cycle: ask, make, ask again, patch in its own way, disable with a text, delete a month later."""
    boss = directory.person("sam@acme.example")
    asked = directory.call("GET", '/Users?filter=userName+eq+"ada@acme.example"')
    assert (asked.status_code, asked.json()["totalResults"], asked.json()["Resources"]) == (200, 0, [])
    made = directory.call(
        "POST",
        "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Ada@acme.example",
            "active": True,
            "displayName": "Ada",
            "emails": [{"primary": True, "type": "work", "value": "ada@acme.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Ada A", "familyName": "A", "givenName": "Ada"},
            "roles": [],
            ENTERPRISE: {"department": "Compilers"},
        },
    )
    assert made.status_code == 201
    ada = made.json()["id"]
    assert made.headers["location"] == f"{ISSUER}/scim/v2/Users/{ada}" == made.json()["meta"]["location"]
    found = directory.call("GET", '/Users?filter=externalId+eq+"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"').json()
    assert [one["id"] for one in found["Resources"]] == [ada]
    changed = directory.patch(
        f"/Users/{ada}",
        {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "US"},
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": boss},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "ada.a@acme.example"},
        {"op": "Add", "path": "employeeHomeTown", "value": "dropped"},
    )
    assert changed.status_code == 200, changed.text
    known = directory.subject()
    assert attributes(known) == {
        "country": "US",
        "department": "Compilers",
        "email": "ada.a@acme.example",
        "manager": boss,
    }
    assert (known.display, known.active, known.id) == ("Ada", True, ada)
    disabled = directory.patch(f"/Users/{ada}", {"op": "Replace", "path": "active", "value": "False"})
    assert disabled.json()["active"] is False
    assert not directory.subject().active
    assert directory.patch(f"/Users/{ada}", {"op": "Replace", "value": {"active": "True"}}).json()["active"]
    assert directory.call("DELETE", f"/Users/{ada}").status_code == 204
    assert directory.call("GET", f"/Users/{ada}").status_code == 404
    assert not directory.subject().active
    assert directory.acts()[1:] == [
        "subject.provisioned",
        "subject.changed",
        "subject.deactivated",
        "subject.reactivated",
        "subject.removed",
    ]


def test_entra_manages_a_group(directory: Directory) -> None:
    """Members come by add and go by a remove that carries a value, or by a path with a filter."""
    ada, sam = directory.person(), directory.person("sam@acme.example")
    asked = directory.call("GET", '/Groups?excludedAttributes=members&filter=displayName+eq+"dev"')
    assert asked.json()["totalResults"] == 0
    dev = directory.group("dev")
    directory.patch(
        f"/Groups/{dev}",
        {
            "op": "Add",
            "path": "members",
            "value": [{"$ref": None, "value": ada}, {"$ref": None, "value": sam}],
        },
    )
    assert directory.subject().groups == ("dev",)
    listed = directory.call("GET", '/Groups?excludedAttributes=members&filter=displayName+eq+"DEV"').json()
    assert listed["totalResults"] == 1
    assert "members" not in listed["Resources"][0]
    inside = directory.call("GET", f'/Groups?filter=id+eq+"{dev}"+and+members[value+eq+"{ada}"]').json()
    assert inside["totalResults"] == 1
    removed = directory.patch(
        f"/Groups/{dev}", {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ada}]}
    )
    assert removed.status_code == 200
    directory.patch(f"/Groups/{dev}", {"op": "Remove", "path": f'members[value eq "{sam}"]'})
    assert directory.subject().groups == directory.subject("sam@acme.example").groups == ()
    inside = directory.call("GET", f'/Groups?filter=id+eq+"{dev}"+and+members[value+eq+"{ada}"]').json()
    assert inside["totalResults"] == 0


def test_okta_provisions_changes_and_deactivates_somebody(directory: Directory) -> None:
    """Okta's cycle: it asks by userName, replaces whole people, and deactivates by a pathless replace."""
    sam = directory.person("sam@acme.example")
    ask = '/Users?filter=userName%20eq%20"ada%40acme.example"&startIndex=1&count=100'
    assert directory.call("GET", ask).json()["totalResults"] == 0
    body = {
        "schemas": [USER, ENTERPRISE],
        "userName": "ada@acme.example",
        "name": {"givenName": "Ada", "familyName": "A"},
        "emails": [{"primary": True, "value": "ada@acme.example", "type": "work"}],
        "displayName": "Ada A",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "userType": "Employee",
        "active": True,
        ENTERPRISE: {"manager": {"value": "sam@acme.example", "displayName": "Sam"}},
    }
    made = directory.call("POST", "/Users", body)
    assert made.status_code == 201, made.text
    assert "password" not in made.text
    ada = made.json()["id"]
    assert directory.call("GET", ask).json()["Resources"][0]["id"] == ada
    assert attributes(directory.subject())["manager"] == sam
    body["id"] = ada
    body["userType"] = "Contractor"
    replaced = directory.call("PUT", f"/Users/{ada}", body)
    assert replaced.status_code == 200, replaced.text
    assert attributes(directory.subject())["employment"] == "Contractor"
    off = directory.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}})
    assert (off.status_code, off.json()["active"]) == (200, False)
    assert not directory.subject().active
    dev = directory.group("dev", ada)
    renamed = directory.patch(
        f"/Groups/{dev}", {"op": "replace", "value": {"id": dev, "displayName": "devs"}}
    )
    assert renamed.json()["displayName"] == "devs"
    assert directory.subject().groups == ("devs",)
    directory.patch(f"/Groups/{dev}", {"op": "replace", "path": "members", "value": [{"value": sam}]})
    assert directory.subject().groups == ()
    assert directory.call("DELETE", f"/Groups/{dev}").status_code == 204
    assert directory.subject("sam@acme.example").groups == ()


# What a deactivation ends


def test_the_next_renewal_of_somebody_deactivated_is_refused(
    directory: Directory, local: LocalService
) -> None:
    """Refresh and access tokens end at once; with the person the approval comes back, and the sign-in doesn't."""
    station = local.workstation()
    request = station.request().json()["id"]
    local.approve(request)
    assert station.launch("claude").status_code == 200
    ada = directory.person()
    directory.patch(f"/Users/{ada}", {"op": "Replace", "path": "active", "value": "False"})
    assert station.call("GET", "/v1/me").json()["code"] == "GK201"
    refused = station.launch("claude")
    assert (refused.status_code, refused.json()["code"]) == (400, "GK201")
    assert statuses(local) == [SUSPENDED]
    directory.patch(f"/Users/{ada}", {"op": "Replace", "path": "active", "value": "True"})
    assert station.launch("claude").json()["code"] == "GK201"
    assert statuses(local) == [VALID]
    again = Workstation(local)
    again.redeem(local.invite())
    assert again.launch("claude").status_code == 200


def test_what_an_approver_suspended_stays_suspended(directory: Directory, local: LocalService) -> None:
    """Coming back undoes the directory's act, and nobody else's."""
    from gatekeeper.service.operate import review

    station = local.workstation()
    grant = local.approve(station.request().json()["id"])
    assert station.launch("claude").status_code == 200
    review.suspend(local.store, grant, as_name="sam@acme.example", reason="", now=local.now)
    ada = directory.person(active=False)
    directory.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": True}})
    assert statuses(local) == [SUSPENDED]


def test_a_code_signs_nobody_in_who_was_deactivated(directory: Directory, local: LocalService) -> None:
    """A code made before works no more."""
    code = local.invite()
    directory.person(active=False)
    assert Workstation(local).redeem(code).json()["code"] == "GK203"


def test_removing_somebody_ends_what_they_hold(directory: Directory, local: LocalService) -> None:
    """Grants are revoked and requests cancelled, so that seats and reviewers are free."""
    station = local.workstation()
    local.approve(station.request().json()["id"])
    station.request("gemini")
    ada = directory.person()
    directory.call("DELETE", f"/Users/{ada}")
    assert (entry_of(local, "grant.revoked"), entry_of(local, "request.cancelled")) == ("G-1", "R-2")
    assert directory.person() == ada
    again = Workstation(local)
    again.redeem(local.invite())
    assert again.launch("claude").json()["code"] == "GK307"


def test_removing_somebody_leaves_what_others_decide(directory: Directory, local: LocalService) -> None:
    """A member of a team for which another asked, with an emergency under review: removed, and both requests stay."""
    ada = directory.person()
    directory.group("oncall", ada)
    with local.store.write() as tx:
        apply_policy(tx, FILES, by="operator", now=local.now, effective_at=local.now)
        policy = current_policy(tx, now=local.now)
        ben = ensure_subject(tx, "ben@acme.example", now=local.now)
        members = ("ada@acme.example", "ben@acme.example")
        new = NewRequest(tool="probe", reason=REASON, duration="10d", subjects=members)
        create_request(tx, policy=policy, subject=ben, new=new, idempotency_key="", now=local.now)
        new = NewRequest(tool="seated", reason=REASON)
        me = get_subject(tx, ada)
        break_glass(tx, policy=policy, subject=me, new=new, method=STEP_UP, now=local.now)
    assert directory.call("DELETE", f"/Users/{ada}").status_code == 204
    assert entry_of(local, "grant.revoked") == "G-1"
    with local.store.read() as tx:
        assert [one.id for one in pending_requests(tx, now=local.now)] == ["R-1", "R-2"]


def statuses(local: LocalService) -> list[int]:
    """Return what the status list says of every entry."""
    with local.store.read() as tx:
        return [row.status for row in tx.execute(status_entries.select())]


def entry_of(local: LocalService, act: str) -> str:
    """Return the object of the one act of that kind."""
    with local.store.read() as tx:
        found = [entry.object for entry in entries(tx) if entry.act == act]
    assert len(found) == 1
    return found[0]


# Groups and attributes


def test_groups_are_the_sign_ins_and_the_directorys(directory: Directory, local: LocalService) -> None:
    """Together; and whoever the directory takes out is out, whatever an earlier sign-in said."""
    local.invite(groups=("dev", "oncall"))
    ada = directory.person()
    dev = directory.group("dev", ada)
    directory.group("ai-security", ada)
    assert directory.subject().groups == ("ai-security", "dev", "oncall")
    directory.patch(f"/Groups/{dev}", {"op": "remove", "path": "members"})
    assert directory.subject().groups == ("ai-security", "oncall")


def test_the_directorys_attributes_count(directory: Directory, local: LocalService) -> None:
    """Where a sign-in named the same one."""
    with local.store.write() as tx:
        given = {"country": "CN", "employment": "Employee"}
        ensure_subject(tx, "ada@acme.example", attributes=given, now=local.now)
    directory.person(addresses=[{"country": "DE"}, {"country": "US", "primary": True}])
    assert attributes(directory.subject()) == {"country": "US", "employment": "Employee"}


def test_a_new_name_keeps_the_person(directory: Directory, local: LocalService) -> None:
    """userName may change; another's may not be taken."""
    ada = directory.person()
    directory.person("sam@acme.example")
    renamed = directory.patch(
        f"/Users/{ada}", {"op": "replace", "path": "userName", "value": "ada.b@acme.example"}
    )
    assert renamed.status_code == 200
    assert directory.subject("ada.b@acme.example").id == ada
    taken = directory.patch(
        f"/Users/{ada}", {"op": "replace", "path": "userName", "value": "Sam@acme.example"}
    )
    assert (taken.status_code, taken.json()["scimType"]) == (409, "uniqueness")


def test_a_workloads_name_is_nobodys(directory: Directory, local: LocalService) -> None:
    """A person called as a CI job would hold its grants."""
    from gatekeeper.service.people.subjects import WORKLOAD

    with local.store.write() as tx:
        ensure_subject(tx, "ci:acme/web", kind=WORKLOAD, now=local.now)
    answer = directory.call("POST", "/Users", {"schemas": [USER], "userName": "CI:acme/web"})
    assert answer.status_code == 409


# The calls


def test_unchanged_is_not_recorded(directory: Directory) -> None:
    """Directories repeat themselves every forty minutes: the version and the record stand still."""
    ada = directory.person(displayName="Ada")
    dev = directory.group("dev", ada)
    before = directory.acts()
    first = directory.call("GET", f"/Users/{ada}").headers["etag"]
    directory.patch(f"/Users/{ada}", {"op": "Replace", "path": "displayName", "value": "Ada"})
    directory.patch(f"/Groups/{dev}", {"op": "Add", "path": "members", "value": [{"value": ada}]})
    assert directory.acts() == before
    assert directory.call("GET", f"/Users/{ada}").headers["etag"] == first


def test_a_version_that_was_overtaken_is_refused(directory: Directory) -> None:
    """If-Match, where a directory sends it."""
    ada = directory.person()
    old = directory.call("GET", f"/Users/{ada}").headers["etag"]
    change = {"op": "replace", "path": "displayName", "value": "A"}
    assert directory.patch(f"/Users/{ada}", change, **{"if-match": old}).status_code == 200
    assert directory.patch(f"/Users/{ada}", change, **{"if-match": old}).status_code == 412
    assert directory.call("DELETE", f"/Users/{ada}", **{"if-match": old}).status_code == 412


def test_pages(directory: Directory) -> None:
    """startIndex from 1, count, and the whole number."""
    ids = {directory.person(f"p{number}@acme.example") for number in range(5)}
    seen = set()
    for start in (1, 3, 5):
        page = directory.call("GET", f"/Users?startIndex={start}&count=2").json()
        assert (page["totalResults"], page["startIndex"]) == (5, start)
        assert page["itemsPerPage"] == len(page["Resources"]) <= 2
        seen |= {one["id"] for one in page["Resources"]}
    assert seen == ids
    assert directory.call("GET", "/Users?count=0").json()["Resources"] == []
    assert directory.call("GET", "/Users?startIndex=-4&count=9999").json()["itemsPerPage"] == 5


@pytest.mark.parametrize(
    ("filter_", "names"),
    [
        ('userName eq "P1@ACME.example"', ["p1@acme.example"]),
        ('userName eq "p1@acme.example" and active eq true', ["p1@acme.example"]),
        ('userName eq "p1@acme.example" and active eq false', []),
        ('userName sw "p"', ["p0@acme.example", "p1@acme.example"]),
        ('displayName co "one"', ["p1@acme.example"]),
        ("not (displayName pr)", ["p0@acme.example"]),
        ('userName eq ""', []),
        ('userName eq "\\u0000"', []),
        ('externalId eq "x"', []),
    ],
)
def test_filters(directory: Directory, filter_: str, names: list[str]) -> None:
    """By what is indexed, and by the rest of the grammar."""
    directory.person("p0@acme.example")
    directory.person("p1@acme.example", displayName="Number one")
    answer = directory.call("GET", f"/Users?filter={httpx.QueryParams({'f': filter_})}".replace("f=", "", 1))
    assert sorted(one["userName"] for one in answer.json()["Resources"]) == names


@pytest.mark.parametrize(
    "query",
    [
        "filter=userName",
        "filter=userName+zz+1",
        "filter=nope+eq+1",
        "count=x",
        "startIndex=1e3",
        f"filter={'x' * 2000}",
    ],
)
def test_queries_that_cannot_be_understood(directory: Directory, query: str) -> None:
    """400 in SCIM's form; an unknown attribute is no empty list, which would make everybody anew."""
    directory.person()
    answer = directory.call("GET", f"/Users?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.json()["status"] == "400"
    assert answer.json()["scimType"] in ("invalidFilter", "invalidValue")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"userName":"a","userName":"b"}', 400),
        ({"schemas": [USER]}, 400),
        ({"schemas": ["urn:x"], "userName": "x"}, 400),
        ({"schemas": [USER], "userName": ""}, 400),
        ({"schemas": [USER], "userName": "a\u202eb@acme.example"}, 400),
        ({"schemas": [USER], "userName": "a" * 2000}, 400),
        ({"schemas": [USER], "userName": "a", "displayName": "x" * 400}, 400),
        ({"schemas": [USER], "userName": "a", "externalId": "x" * 400}, 400),
        ({"schemas": [USER], "userName": "a", "userType": "\u0000"}, 400),
        ({"schemas": [USER], "userName": "a", "active": "perhaps"}, 400),
        ({"schemas": [USER], "userName": "a", "emails": 7}, 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
def test_bodies_that_cannot_be_used(directory: Directory, body: Any, status: int) -> None:
    """Nobody is made of them."""
    answer = directory.call("POST", "/Users", body)
    assert answer.status_code == status
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert directory.call("GET", "/Users").json()["totalResults"] == 0


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "jump", "path": "active"},
        {"op": "remove"},
        {"op": "replace", "path": "active[", "value": 1},
        {"op": "replace", "path": "id", "value": "other"},
        {"op": "remove", "path": "userName"},
        {"op": "replace", "path": "active", "value": "perhaps"},
        7,
    ],
)
def test_changes_that_cannot_be_made(directory: Directory, operation: Any) -> None:
    """A PATCH is done wholly or not at all."""
    ada = directory.person(displayName="Ada")
    first = {"op": "replace", "path": "displayName", "value": "Eve"}
    assert directory.patch(f"/Users/{ada}", first, operation).status_code == 400
    assert directory.subject().display == "Ada"


def test_a_second_of_the_same_name_is_refused(directory: Directory) -> None:
    """However it is spelt: people and groups."""
    directory.person()
    again = directory.call("POST", "/Users", {"schemas": [USER], "userName": "ADA@acme.example"})
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    directory.group("dev")
    again = directory.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "Dev"})
    assert again.status_code == 409


def test_a_member_must_be_managed(directory: Directory, local: LocalService) -> None:
    """Somebody who only signed in, and an id of nothing, are no members."""
    local.invite("eve@acme.example")
    eve = directory.subject("eve@acme.example").id
    for member in (eve, "u_nobody", ""):
        body = {"schemas": [GROUP], "displayName": "dev", "members": [{"value": member}]}
        assert directory.call("POST", "/Groups", body).status_code == 400
    assert directory.call("GET", "/Groups").json()["totalResults"] == 0


@pytest.mark.parametrize("token", ["", "x", "gks_" + "A" * 43])
def test_only_the_token_opens_it(directory: Directory, token: str) -> None:
    """Every address, with 401 in SCIM's form."""
    for method, path in (("GET", "/Users"), ("POST", "/Users"), ("GET", "/ServiceProviderConfig")):
        answer = directory.call(method, path, token=token)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["status"] == "401"


def test_a_workstations_credential_opens_nothing(directory: Directory, local: LocalService) -> None:
    """Neither as a bearer token nor with its proof."""
    station = local.workstation()
    assert directory.call("GET", "/Users", token=station.access).status_code == 401
    assert station.call("GET", "/scim/v2/Users").status_code == 401


def test_a_token_is_replaced_without_a_gap(directory: Directory) -> None:
    """Two tokens work side by side until the older one is dropped."""
    settings = directory.local.service.scim
    assert settings is not None
    old, directory.token = directory.token, make_token(settings, keep=True)
    assert directory.call("GET", "/Users").status_code == 200
    assert directory.call("GET", "/Users", token=old).status_code == 200
    directory.token = make_token(settings, keep=False)
    assert directory.call("GET", "/Users").status_code == 200
    assert directory.call("GET", "/Users", token=old).status_code == 401
    assert settings.token_file.stat().st_mode & 0o777 == 0o600


def test_without_the_section_there_is_nothing(local: LocalService) -> None:
    """Not even for a token."""
    answer = local.send("GET", "/scim/v2/Users", headers={"authorization": "Bearer x"})
    assert answer.status_code == 404


def test_it_describes_itself(directory: Directory) -> None:
    """Configuration, resource types and schemas, alone and in lists; what isn't there is 404."""
    assert directory.call("GET", "/ServiceProviderConfig").json()["patch"] == {"supported": True}
    kinds = directory.call("GET", "/ResourceTypes").json()["Resources"]
    assert [one["endpoint"] for one in kinds] == ["/Users", "/Groups"]
    assert directory.call("GET", "/ResourceTypes/User").json()["name"] == "User"
    schemas = directory.call("GET", "/Schemas").json()["Resources"]
    assert {one["id"] for one in schemas} == {USER, GROUP, ENTERPRISE}
    assert directory.call("GET", f"/Schemas/{USER}").json()["id"] == USER
    for path in ("/Schemas/x", "/ResourceTypes/x", "/Users/x", "/Groups/x", "/Bulk"):
        assert directory.call("GET", path).status_code == 404
    assert directory.call("PATCH", "/Users").status_code == 405


def test_answers_are_what_the_document_says(directory: Directory) -> None:
    """Each operation's answer fits `/openapi.json`, and so does a refusal of each."""
    whole = directory.local.send("GET", "/openapi.json").json()
    seen = set()

    def fits(
        method: str, path: str, body: Any = None, *, of: str = "", token: str | None = None
    ) -> httpx.Response:
        answer = directory.call(method, path, body, token=token)
        template = f"/scim/v2{of or path}"
        documented = whole["paths"][template][method.lower()]["responses"][str(answer.status_code)]
        for kind, content in documented.get("content", {}).items():
            assert answer.headers["content-type"] == kind
            schema = {**content["schema"], "components": whole["components"]}
            Draft202012Validator(schema).validate(answer.json())
        seen.add((method, template))
        return answer

    for kind, body in (
        ("Users", {"schemas": [USER], "userName": "ada@acme.example"}),
        ("Groups", {"schemas": [GROUP], "displayName": "dev"}),
    ):
        one = f"/{kind}/{{id}}"
        made = f"/{kind}/{fits('POST', f'/{kind}', body).json()['id']}"
        fits("POST", f"/{kind}", body)
        fits("GET", f"/{kind}")
        change = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "externalId", "value": "x"}]}
        for method, sent in (
            ("GET", None),
            ("PUT", body),
            ("PATCH", change),
            ("DELETE", None),
            ("DELETE", None),
        ):
            fits(method, made, sent, of=one)
    for path in ("/ServiceProviderConfig", "/ResourceTypes", "/Schemas"):
        fits("GET", path)
        fits("GET", path, token="x")
    fits("GET", "/ResourceTypes/User", of="/ResourceTypes/{id}")
    fits("GET", "/Schemas/x", of="/Schemas/{id}")
    assert seen == {(one.method, one.path) for one in OPERATIONS if one.auth is Auth.SCIM}


def test_a_large_group_changes_at_once(directory: Directory, local: LocalService) -> None:
    """Members by the thousand, in one call."""
    ids = [directory.person(f"p{number}@acme.example") for number in range(30)]
    dev = directory.group("dev", *ids)
    assert len(directory.call("GET", f"/Groups/{dev}").json()["members"]) == 30
    assert directory.call("DELETE", f"/Users/{ids[0]}").status_code == 204
    assert len(directory.call("GET", f"/Groups/{dev}").json()["members"]) == 29
    assert directory.subject("p0@acme.example").groups == ()
