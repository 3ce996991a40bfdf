"""The signed catalogue and the published status lists."""

from __future__ import annotations

from tests.service.local import ISSUER, NOW, LocalService

from gatekeeper.documents.catalogue import Catalogue, parse_catalogue
from gatekeeper.documents.status_list import ENTRIES, TTL, parse_status_list
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import verify_catalogue, verify_status_list


def catalogue(local: LocalService, body: bytes) -> Catalogue:
    """Verify and type a catalogue as a workstation would."""
    return parse_catalogue(
        verify_catalogue(body, keys=local.policy_keys(), issuer=ISSUER, verify=verify_es256)
    )


def test_the_catalogue_is_the_policy_in_force(local: LocalService) -> None:
    """Each tool with its access class and words, for this subject, for a day, under the policy key."""
    answer = local.workstation().call("GET", "/v1/catalogue")
    read = catalogue(local, answer.content)
    assert answer.headers["content-type"] == "application/jwt"
    assert (read.organisation, read.help, read.version) == ("Acme", "#ai-approvals", 1)
    assert {tool.id: tool.access for tool in read.tools} == {
        "claude": "approval",
        "codex": "closed",
        "aider": "open",
        "gemini": "approval",
    }
    assert (read.issued_at, read.expires_at) == (NOW, NOW + 86_400)
    assert "frontier-models" in read.words_of("zone:frontier-models")


def test_a_catalogue_that_is_held_is_not_sent_again(local: LocalService) -> None:
    """The tag stays while the words do, and changes long before the copy ends."""
    station = local.workstation()
    tag = station.call("GET", "/v1/catalogue").headers["etag"]
    local.now += 60
    again = station.call("GET", "/v1/catalogue", headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    local.now += 6 * 3_600
    station.renew()
    later = station.call("GET", "/v1/catalogue", headers={"if-none-match": tag})
    assert later.status_code == 200
    assert catalogue(local, later.content).expires_at == local.now + 86_400


def test_two_subjects_have_two_catalogues(local: LocalService) -> None:
    """A catalogue names its subject, so another's tag is never a 304."""
    ada, sam = local.workstation(), local.workstation("sam@acme.example")
    tag = ada.call("GET", "/v1/catalogue").headers["etag"]
    assert sam.call("GET", "/v1/catalogue", headers={"if-none-match": tag}).status_code == 200


def test_the_first_status_list_always_exists(local: LocalService) -> None:
    """List 0 is there before any token, complete, with its own address as its subject; list 1 is not."""
    answer = local.send("GET", "/status/0")
    read = parse_status_list(
        verify_status_list(
            answer.content, keys=local.status_keys(), uri=f"{ISSUER}/status/0", verify=verify_es256
        )
    )
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    assert (len(read.packed) * 4, read.ttl, read.expires_at) == (ENTRIES, TTL, NOW + 86_400)
    assert read.packed == bytes(ENTRIES // 4)
    assert local.send("GET", "/status/1").status_code == 404


def test_a_list_is_signed_again_only_when_it_changed(local: LocalService) -> None:
    """The same list has the same tag, and an hour later a new signature."""
    tag = local.send("GET", "/status/0").headers["etag"]
    local.now += 60
    assert local.send("GET", "/status/0", headers={"if-none-match": tag}).status_code == 304
    local.now += 3_600
    assert local.send("GET", "/status/0", headers={"if-none-match": tag}).status_code == 200


def test_a_clock_that_was_set_back_signs_anew(local: LocalService) -> None:
    """A list of the future isn't served."""
    tag = local.send("GET", "/status/0").headers["etag"]
    local.now -= 7_200
    assert local.send("GET", "/status/0").headers["etag"] != tag
