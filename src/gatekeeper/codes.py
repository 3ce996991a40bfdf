"""The one table of GK codes: title, kind, both exit statuses, meaning and remedy.

Messages, JSON, `explain`, the reference pages and every exit status read it; nothing derives an exit
from a code's hundreds. Codes are API: a row is never renumbered and never reused.
"""

from __future__ import annotations

from gatekeeper.values import Value

ALLOWED = "allowed"
USAGE = "usage"
REFUSED = "refused"
SIGN_IN = "sign-in needed"
PENDING = "pending"
UNDETERMINED = "couldn't decide"
INVALID = "invalid"
NOT_INSTALLED = "not installed"
BUG = "bug"
INTERRUPTED = "interrupted"


class Row(Value):
    """One code. `check_exit` is for `check` and all other commands, `run_exit` for `run` and shims."""

    code: str
    title: str
    kind: str
    check_exit: int
    run_exit: int
    meaning: str
    remedy: str


_EXITS = {
    ALLOWED: (0, 0),
    BUG: (1, 125),
    USAGE: (2, 125),
    REFUSED: (3, 126),
    SIGN_IN: (4, 125),
    PENDING: (5, 126),
    UNDETERMINED: (6, 125),
    INVALID: (7, 125),
    NOT_INSTALLED: (8, 127),
    INTERRUPTED: (130, 130),
}


def _row(code: str, kind: str, title: str, meaning: str, remedy: str) -> tuple[str, Row]:
    check_exit, run_exit = _EXITS[kind]
    return code, Row(
        code=code,
        title=title,
        kind=kind,
        check_exit=check_exit,
        run_exit=run_exit,
        meaning=meaning,
        remedy=remedy,
    )


CODES: dict[str, Row] = dict(
    (
        # The 1 hundreds: usage and environment
        _row(
            "GK100",
            USAGE,
            "wrong arguments",
            "The command line can't be understood: an unknown option, a missing or an unusable value.",
            "gatekeeper --help",
        ),
        _row(
            "GK101",
            INVALID,
            "unusable configuration",
            "A configuration file can't be read as what it should be, or a value in it can't be used. "
            "A malformed managed file refuses everything: it never falls open.",
            "gatekeeper config list --show-origin",
        ),
        _row(
            "GK102",
            INVALID,
            "locked by the managed layer",
            "Device management sets this key, so nothing else may.",
            "gatekeeper config list --show-origin",
        ),
        _row(
            "GK103",
            USAGE,
            "bad TOOL",
            "TOOL is the id of a tool in the catalogue or the name of its executable. A path is not accepted: "
            "what runs is what PATH finds under that name and the catalogue recognises.",
            "gatekeeper tools",
        ),
        _row(
            "GK104",
            INVALID,
            "no trust_roots",
            "No root key is pinned. gatekeeper never trusts a service on first use: the thumbprint of its "
            "root key comes with the configuration.",
            "gatekeeper config path",
        ),
        _row(
            "GK106",
            INVALID,
            "unusable environment",
            "Something that every command needs is missing: a home directory, a directory that can be "
            "written, a working directory that exists.",
            "gatekeeper config path",
        ),
        # The 2 hundreds: sign-in and device
        _row(
            "GK201",
            SIGN_IN,
            "signed out",
            "This workstation has no valid sign-in with the service: it never signed in, signed out, or "
            "the sign-in ran out. Your operator or IT gives you the one-time code.",
            "gatekeeper login --code CODE",
        ),
        _row(
            "GK202",
            SIGN_IN,
            "device revoked",
            "The enrolment of this device was revoked. Its launch tokens are gone. A new one-time code, from your "
            "operator or IT, enrols it anew.",
            "gatekeeper login --code CODE",
        ),
        _row(
            "GK203",
            SIGN_IN,
            "code used, expired or wrong",
            "A one-time code signs one device in, once, for a limited time. For safety the service does not "
            "say which of the three it was.",
            "gatekeeper login --code CODE",
        ),
        _row(
            "GK204",
            SIGN_IN,
            "state of another machine",
            "The state directory carries the mark of another machine, person or directory, so it was copied "
            "or moved. A copied launch token launches nothing.",
            "gatekeeper login",
        ),
        _row(
            "GK205",
            INVALID,
            "no place for the credential",
            "No keyring answers here and the file store is not allowed, so the device key has no safe place.",
            "gatekeeper config get credential_store --show-origin",
        ),
        _row(
            "GK206",
            SIGN_IN,
            "too many wrong codes",
            "Too many wrong one-time codes came from here. The service takes none but a right one for a while.",
            "gatekeeper login --code CODE",
        ),
        _row(
            "GK207",
            SIGN_IN,
            "sign-in not accepted",
            "The sign-in in the browser didn't lead to one here: the company's identity provider or you refused it, "
            "or what the provider says of you isn't what this service asks for.",
            "gatekeeper login",
        ),
        _row(
            "GK208",
            SIGN_IN,
            "sign-in not confirmed yet",
            "The sign-in waits for somebody to confirm it in a browser.",
            "gatekeeper login --device",
        ),
        # The 3 hundreds: refusals
        _row(
            "GK301",
            REFUSED,
            "not approved",
            "Your organisation's policy asks for an approval before this tool is used, and there is none.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK302",
            REFUSED,
            "not in the catalogue",
            "The organisation's catalogue doesn't name this tool. A tool that is not in the catalogue is "
            "always refused.",
            "gatekeeper tools",
        ),
        _row(
            "GK303",
            REFUSED,
            "closed",
            "The organisation doesn't offer this tool to anyone, and takes no requests for it.",
            "gatekeeper tools",
        ),
        _row(
            "GK304",
            REFUSED,
            "version not approved",
            "The installed version is outside the range that is approved.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK305",
            REFUSED,
            "not recognised",
            "What PATH finds under this name isn't the tool that is approved: another package, a copy, or "
            "other bytes.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK306",
            REFUSED,
            "not approved for this repository",
            "The approval doesn't cover the repository of the working directory, or policy excludes it. "
            "A repository whose remotes can't be read counts as excluded.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK307",
            REFUSED,
            "revoked",
            "An approver revoked the approval. Asking again is possible.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK308",
            REFUSED,
            "ended",
            "The approval was for a limited time, which is over.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK309",
            REFUSED,
            "denied",
            "An approver denied the request. Asking again is possible.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK310",
            REFUSED,
            "a policy rule",
            "A rule of the organisation's policy refuses this, approval or not.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK311",
            REFUSED,
            "stopped for now",
            "The organisation stopped this tool or vendor for the time being. Approvals and places in the "
            "queue are kept.",
            "gatekeeper tools TOOL",
        ),
        # The 4 hundreds: requests and reviews
        _row(
            "GK401",
            PENDING,
            "request pending",
            "Your request waits for an approver.",
            "gatekeeper run --wait TOOL",
        ),
        _row(
            "GK402",
            PENDING,
            "waitlisted",
            "The request is approved, and all seats are taken. You move up by yourself.",
            "gatekeeper requests",
        ),
        _row(
            "GK403",
            REFUSED,
            "suspended",
            "The approval is suspended for the time being.",
            "gatekeeper status",
        ),
        _row(
            "GK404",
            USAGE,
            "reason too short",
            "Approvers decide by the reason, so policy asks for a least length.",
            'gatekeeper request TOOL --reason "…"',
        ),
        _row(
            "GK405",
            REFUSED,
            "review not yours",
            "Nobody decides about their own request or grant, and only those whom policy names decide at all.",
            "gatekeeper service review list",
        ),
        _row(
            "GK406",
            PENDING,
            "terms not accepted",
            "The tool has terms of use that you have not accepted in their current version.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK407",
            PENDING,
            "a question waits for your answer",
            "An approver asked something about your request.",
            "gatekeeper requests",
        ),
        _row(
            "GK408",
            REFUSED,
            "no longer open",
            "The request or grant has moved on: it was decided, cancelled, ended or lapsed before this act.",
            "gatekeeper requests",
        ),
        _row(
            "GK409",
            USAGE,
            "no such request or grant",
            "No request or grant with this id is visible to you.",
            "gatekeeper requests",
        ),
        _row(
            "GK410",
            USAGE,
            "outside what policy allows",
            "A duration, zone or other value of the request or review is outside what policy allows. "
            "A review may narrow a request, never widen it.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK411",
            USAGE,
            "another request under the same key",
            "The Idempotency-Key was used within 24 hours for a request with other contents.",
            "gatekeeper requests",
        ),
        # The 5 hundreds: trust
        _row(
            "GK501",
            INVALID,
            "bad signature",
            "A signature doesn't hold, or a signed document is not what it must be. Either something "
            "between you and the service changed it, or the service is not the one that is pinned.",
            "gatekeeper config list --show-origin",
        ),
        _row(
            "GK502",
            INVALID,
            "wrong issuer, audience, purpose or type",
            "A document is signed, but for another service, reader or purpose.",
            "gatekeeper config get service --show-origin",
        ),
        _row(
            "GK503",
            INVALID,
            "rollback",
            "The service offers an older document than one seen before, or older than device management "
            "demands.",
            "gatekeeper sync",
        ),
        _row(
            "GK504",
            UNDETERMINED,
            "root document expired",
            "The service's list of signing keys is too old to be believed, and no newer one could be had. "
            "This is not a denial.",
            "gatekeeper sync",
        ),
        _row(
            "GK505",
            INVALID,
            "too few pinned signers",
            "The service's root document isn't signed by enough of the root keys that your configuration pins.",
            "gatekeeper config get trust_roots --show-origin",
        ),
        _row(
            "GK506",
            INVALID,
            "log inconsistent",
            "The service's audit log contradicts what this device saw of it before. Launches go on; tell "
            "your security team.",
            "gatekeeper status",
        ),
        # The 6 hundreds: service and network
        _row(
            "GK601",
            UNDETERMINED,
            "unreachable, no usable token",
            "The service doesn't answer and nothing stored here is recent enough. This is not a denial.",
            "gatekeeper sync",
        ),
        _row(
            "GK602",
            UNDETERMINED,
            "the service's answer can't be read",
            "Something answered at the service's address, but not as gatekeeper's service does: a captive "
            "portal, a proxy's page, a wrong address. This is not a denial.",
            "gatekeeper config get service --show-origin",
        ),
        _row(
            "GK603",
            UNDETERMINED,
            "too many calls",
            "The service asks to wait before the next call.",
            "gatekeeper sync",
        ),
        _row(
            "GK604",
            BUG,
            "the call is not one that the service takes",
            "The service refused a call as malformed. Client and service may be too far apart in version.",
            "gatekeeper version",
        ),
        _row(
            "GK605",
            UNDETERMINED,
            "another service doesn't answer",
            "The service needs an answer of another one, such as the company's identity provider, and got none that "
            "it can use. Nothing is lost: repeat it later. This is not a denial.",
            "gatekeeper login",
        ),
        # The 7 hundreds: clock and state
        _row(
            "GK701",
            INVALID,
            "damaged state",
            "A file that gatekeeper keeps can't be read or written. Nothing is launched on a guess.",
            "gatekeeper sync",
        ),
        _row(
            "GK702",
            INVALID,
            "clock behind",
            "This machine's clock is more than five minutes behind the latest time that gatekeeper saw here, "
            "so a token's age can't be judged.",
            "gatekeeper sync",
        ),
        # The 8 hundreds: launch
        _row(
            "GK801",
            NOT_INSTALLED,
            "not installed",
            "The tool may be launched, but PATH finds no executable of it.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK802",
            INVALID,
            "loop of wrappers",
            "The executable that PATH finds leads back to gatekeeper.",
            "type -a TOOL",
        ),
        _row(
            "GK803",
            INVALID,
            "exec failed",
            "The operating system refused to start the tool's executable.",
            "gatekeeper tools TOOL",
        ),
        _row(
            "GK804",
            INVALID,
            "confinement not available",
            "The approval demands a confinement that this version of gatekeeper can't give.",
            "gatekeeper version",
        ),
        # The 9 hundreds: bugs
        _row(
            "GK901",
            BUG,
            "a bug in gatekeeper",
            "gatekeeper met a state that it should never meet. Nothing was launched.",
            "gatekeeper version",
        ),
        _row(
            "GK902",
            INTERRUPTED,
            "interrupted",
            "Ctrl-C. What was recorded stays recorded.",
            "gatekeeper status",
        ),
    )
)
# Several tools at once: the first of these that is present is the exit status of the whole.
EXIT_PRECEDENCE = (7, 4, 3, 6, 5, 8)
