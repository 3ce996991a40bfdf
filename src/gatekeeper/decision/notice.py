"""The words of every outcome that is not a launch. Pure; what prints them neutralises and wraps them.

Three kinds are told apart in the first line: not approved ("Not starting …"), not yet ("Not starting … yet"),
couldn't decide ("Couldn't check …", which is never a denial). Every notice names one runnable command.
Texts from the service and from other people (reasons!) are passed on as they are: `cli.formats.text` makes
them harmless.
"""

from __future__ import annotations

from gatekeeper.codes import CODES, INVALID, NOT_INSTALLED, REFUSED, SIGN_IN, UNDETERMINED
from gatekeeper.codes import PENDING as KIND_PENDING
from gatekeeper.decision.facts import Absent, Allow, Executable
from gatekeeper.decision.obstacles import NotInstalled, Pending, Refuse, Undetermined
from gatekeeper.documents.api import Problem
from gatekeeper.documents.catalogue import OPEN
from gatekeeper.documents.verdict import ALLOW, PENDING, REFUSE, Verdict, rfc3339
from gatekeeper.documents.verdict import UNDETERMINED as VERDICT_UNDETERMINED
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.codes import Row
    from gatekeeper.decision.facts import Facts
    from gatekeeper.decision.obstacles import AnyDecision
    from gatekeeper.documents.catalogue import Catalogue
    from gatekeeper.documents.launch_token import Identity
    from gatekeeper.errors import GatekeeperError

    NotAllowed = Pending | Refuse | Undetermined

AGENT_VARIABLES = ("AI_AGENT", "AGENT", "CLAUDECODE")
AGENT_LINE = "Ask the human who runs you; do not work around this."
NOT_A_DENIAL = "This is not a denial."
DO = "Do"
LINK = "Or"

# What follows "Not starting claude: " or "Couldn't check claude: ", for each code that a launch can meet.
_CLAUSES = {
    "GK100": "the command line can't be understood",
    "GK101": "the configuration can't be used",
    "GK102": "device management locks this key",
    "GK103": "that is not the name of a tool",
    "GK104": "no root key is pinned (trust_roots)",
    "GK106": "this workstation lacks something that every launch needs",
    "GK201": "you are signed out",
    "GK202": "the enrolment of this device was revoked",
    "GK203": "the one-time code was used, has expired or is wrong",
    "GK204": "the state stored here belongs to another machine",
    "GK205": "there is no safe place for the credential",
    "GK206": "too many wrong one-time codes",
    "GK207": "the sign-in was not accepted",
    "GK208": "the sign-in waits to be confirmed",
    "GK301": "it isn't approved for you",
    "GK302": "it isn't in your organisation's catalogue",
    "GK303": "your organisation doesn't offer it",
    "GK304": "this version isn't approved",
    "GK305": "what PATH finds isn't the approved tool",
    "GK306": "it isn't approved for this repository",
    "GK307": "its approval was revoked",
    "GK308": "its approval has ended",
    "GK309": "your request was denied",
    "GK310": "a policy rule doesn't allow it",
    "GK311": "your organisation stopped it for now",
    "GK401": "your request{request} waits for an approver",
    "GK402": "your request{request} is approved and waits for a seat",
    "GK403": "its approval is suspended",
    "GK404": "the reason is too short",
    "GK405": "this review isn't yours",
    "GK406": "its terms of use wait for your consent",
    "GK407": "a question about your request{request} waits for your answer",
    "GK408": "the request{request} is no longer open",
    "GK409": "there is no such request or grant",
    "GK410": "policy doesn't allow that value",
    "GK411": "another request stands under the same key",
    "GK501": "a signature doesn't hold",
    "GK502": "a signed document is meant for something else",
    "GK503": "the service offers something older than what was seen before",
    "GK504": "the list of signing keys is too old",
    "GK505": "the root document lacks enough pinned signers",
    "GK506": "the service's audit log contradicts itself",
    "GK601": "the service can't be reached",
    "GK602": "the service's answer can't be read",
    "GK603": "the service asks to wait",
    "GK604": "the service doesn't take this call",
    "GK605": "the service waits for an answer of another one",
    "GK701": "the state stored here can't be used",
    "GK702": "the clock of this machine is behind",
    "GK801": "it isn't installed",
    "GK802": "what PATH finds leads back to gatekeeper",
    "GK803": "the operating system refused to start it",
    "GK804": "its approval asks for a confinement that isn't available here",
    "GK901": "gatekeeper met a bug of its own",
    "GK902": "interrupted",
}
# A command that stands behind `Do` can be run: where no tool is known, its nearest kin without one.
_WITHOUT_TOOL = {
    'gatekeeper request TOOL --reason "…"': "gatekeeper request --help",
    "gatekeeper run --wait TOOL": "gatekeeper requests",
    "gatekeeper tools TOOL": "gatekeeper tools",
    "type -a TOOL": "gatekeeper tools",
}
_DECIDED = {Pending: PENDING, Refuse: REFUSE, Undetermined: VERDICT_UNDETERMINED}
_NO_DENIAL_KINDS = (SIGN_IN, UNDETERMINED, INVALID)


class Notice(Value):
    """Words for a person: a first line, labelled rows in reading order, and a line for an agent ("" for people).

    `kind` is the code's, from `codes`. The rows labelled `DO` and `LINK` are to be copied: never wrapped, never cut.
    """

    code: str
    kind: str
    title: str
    rows: tuple[tuple[str, str], ...]
    agent_line: str = ""


class Scene(Value):
    """What else is known when a decision is put into words.

    `who` and `device` are names for people; `available` are the ids of tools that may be started today;
    `checking` says that nothing was about to start.
    """

    who: str = ""
    device: str = ""
    available: tuple[str, ...] = ()
    agent: bool = False
    checking: bool = False
    catalogue: Catalogue | None = None
    facts: Facts | None = None


def under_agent(environment: Mapping[str, str]) -> bool:
    """Say whether an AI agent seems to have started this process. Advisory: it only adds a line and stops prompts."""
    return any(environment.get(name) for name in AGENT_VARIABLES)


def notice_for(decision: NotAllowed, scene: Scene) -> Notice:
    """Write the notice of a decision that is no launch."""
    kind = CODES[decision.code].kind
    tool = decision.tool
    rows = (
        ("", NOT_A_DENIAL if kind in _NO_DENIAL_KINDS else ""),
        ("Who", _joined(" on ", scene.who, scene.device)),
        ("What", _what(tool, scene.facts)),
        ("Why", _why(decision, scene)),
        ("Last", _last_seen(scene.facts) if kind == UNDETERMINED else ""),
        (DO, _command(decision, scene)),
        (LINK, decision.problem.request_url if decision.problem is not None else ""),
        ("Now", _instead(decision, scene)),
        ("Help", _help(decision.code, decision.problem, scene.catalogue)),
    )
    return Notice(
        code=decision.code,
        kind=kind,
        title=_title(decision, kind, checking=scene.checking),
        rows=tuple((label, text) for label, text in rows if text),
        agent_line=AGENT_LINE if scene.agent else "",
    )


def error_notice(error: GatekeeperError, *, tool: str = "", agent: bool = False) -> Notice:
    """Write the notice of an error: what was found, and one command. `tool` is set where a launch or check met it."""
    row = CODES.get(error.code) or CODES["GK602"]
    given = error.facts.get("problem")
    problem = given if isinstance(given, Problem) else None
    if tool:
        met = Undetermined(tool=tool, code=row.code)
        title = _title(met.replace(problem=problem), row.kind, checking=False)
    else:
        title = f"{row.title[0].upper()}{row.title[1:]}."
    undecided = row.kind == UNDETERMINED or (tool != "" and row.kind in _NO_DENIAL_KINDS)
    rows = (
        ("", NOT_A_DENIAL if undecided else ""),
        ("What", error.detail),
        ("Why", _decider(problem)),
        (DO, _remedy(error, row, tool or (problem.tool if problem is not None else ""))),
        (LINK, problem.request_url if problem is not None else ""),
        ("Help", _help(row.code, problem, None)),
    )
    return Notice(
        code=row.code,
        kind=row.kind,
        title=title,
        rows=tuple((label, text) for label, text in rows if text),
        agent_line=AGENT_LINE if agent else "",
    )


def still_usable(allow: Allow, *, now: int) -> str:
    """Say in one line that a launch goes on although its token could not be renewed; "" where it was."""
    if allow.unreachable is None:
        return ""
    left = render_span(allow.token.expires_at - now)
    return (
        f"gatekeeper: couldn't renew the approval of {allow.token.tool} ({allow.unreachable.detail}); "
        f"it stays usable for {left}, until {render_instant(allow.token.expires_at)}.   {allow.unreachable.code}"
    )


def verdict_of(decision: AnyDecision, facts: Facts, *, running: bool) -> Verdict:
    """Put a decision into the contract's JSON shape. `running` chooses the exit status of `run` over that of `check`."""
    version, path = _found(facts)
    match decision:
        case Allow():
            return Verdict(
                code="",
                decision=ALLOW,
                tool=decision.token.tool,
                exit=0,
                version=version,
                path=path,
                expires_at=decision.token.expires_at,
            )
        case Pending() | Refuse() | Undetermined():
            return _verdict_against(decision, version, path, running=running)


def _verdict_against(decision: NotAllowed, version: str, path: str, *, running: bool) -> Verdict:
    row = CODES[decision.code]
    problem = decision.problem or Problem(code=decision.code, status=0, title=row.title)
    return Verdict(
        code=decision.code,
        decision=_DECIDED[type(decision)],
        tool=decision.tool,
        exit=row.run_exit if running else row.check_exit,
        version=version,
        path=path,
        reason=_plain_reason(decision),
        rule=decision.rule if isinstance(decision, Refuse) else problem.rule,
        request_id=problem.request,
        request_url=problem.request_url,
        alternatives=problem.alternatives,
        ref=problem.ref,
    )


def render_instant(at: int) -> str:
    """Render Unix seconds for people: minutes are enough."""
    return f"{rfc3339(at)[:16].replace('T', ' ')} UTC"


def render_span(seconds: int) -> str:
    """Render a length of time in its one or two largest units: `30 d`, `2 h 5 min`, `40 s`.

    Days are rounded to the nearest, because a grant of 30 d that was given a second ago lasts 30 d to people;
    smaller units are rounded down.
    """
    seconds = max(0, seconds)
    if seconds >= 2 * 86_400:
        return f"{(seconds + 43_200) // 86_400} d"
    if seconds >= 3_600:
        hours, minutes = seconds // 3_600, seconds % 3_600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def _title(decision: NotAllowed, kind: str, *, checking: bool) -> str:
    problem = decision.problem
    request = f" {problem.request}" if problem is not None and problem.request else ""
    clause = _CLAUSES[decision.code].replace("{request}", request)
    if kind in (REFUSED, NOT_INSTALLED):
        opening = f"{decision.tool} would not start" if checking else f"Not starting {decision.tool}"
    elif kind == KIND_PENDING:
        opening = f"{decision.tool} would not start yet" if checking else f"Not starting {decision.tool} yet"
    elif decision.code == "GK803":
        opening = f"Couldn't start {decision.tool}"
    else:
        opening = f"Couldn't check {decision.tool}"
    return f"{opening}: {clause}."


def _what(tool: str, facts: Facts | None) -> str:
    if facts is None:
        return ""
    match facts.executable:
        case Executable():
            version, path = _found(facts)
            return _joined(" ", tool, version, f"({path})")
        case NotInstalled(names=names):
            return f"{tool}, looked for on PATH as {', '.join(names)}" if names else ""
        case _:
            return ""


def _found(facts: Facts) -> tuple[str, str]:
    if isinstance(facts.executable, Executable):
        return facts.executable.version, facts.executable.found
    return "", ""


def _why(decision: NotAllowed, scene: Scene) -> str:
    rule = decision.rule if isinstance(decision, Refuse) else ""
    said = _said(decision, scene, rule)
    shown = f"(rule {rule})" if rule and rule not in ("outside", "unreadable") else ""
    return _joined(" ", said, shown)


def _said(decision: NotAllowed, scene: Scene, rule: str) -> str:
    code, problem, facts = decision.code, decision.problem, scene.facts
    words = scene.catalogue.words_of(rule) if scene.catalogue is not None and rule else ""
    if words:
        return words
    match code:
        case "GK304" | "GK305":
            found = _joined(" ", _sentence(decision.detail), _approved_identity(decision, facts))
            return found or CODES[code].meaning
        case "GK306":
            return _joined(" ", _repository_words(decision.detail, rule), _covered(facts))
        case "GK307" | "GK309" | "GK403" | "GK311":
            return _decider(problem, code) or CODES[code].meaning
        case "GK308" if facts is not None and not isinstance(facts.token, Absent):
            ended = facts.token.grant_ends
            if ended is not None:
                return f"The approval {facts.token.grant} was for a limited time, and ended {render_instant(ended)}."
    return _sentence(_plain_reason(decision)) or CODES[code].meaning


def _plain_reason(decision: NotAllowed) -> str:
    problem = decision.problem
    if problem is not None and problem.reason:
        return problem.reason
    return decision.detail or (problem.detail if problem is not None else "")


def _decider(problem: Problem | None, code: str = "") -> str:
    """Name who decided and quote the reason: "revoked by sam@acme.example: seat needed elsewhere"."""
    if problem is None or not (problem.by or problem.reason):
        return ""
    acts = {"GK307": "revoked", "GK309": "denied", "GK403": "suspended", "GK311": "stopped"}
    act = acts.get(code or problem.code, "decided")
    by = f"{act} by {problem.by}" if problem.by else act
    return f"{by}: {problem.reason}" if problem.reason else by


def _repository_words(pattern: str, rule: str) -> str:
    if rule == "outside":
        return "The approval doesn't cover the repository of this directory."
    if rule == "unreadable":
        return "The remotes of this repository can't be read for certain, so it counts as excluded."
    if rule.startswith("zone:"):
        return f"The approval doesn't cover this repository, which is in the zone {rule[5:]}."
    return f"Policy keeps repositories like {pattern} out of it." if pattern else CODES["GK306"].meaning


def _covered(facts: Facts | None) -> str:
    if facts is None or isinstance(facts.token, Absent) or "*" in facts.token.locations:
        return ""
    return f"It covers {', '.join(facts.token.locations)}." if facts.token.locations else ""


def _approved_identity(decision: NotAllowed, facts: Facts | None) -> str:
    if facts is None or isinstance(facts.token, Absent):
        return ""
    names = [_identity_name(one, decision.code) for one in facts.token.identities]
    named = [name for name in names if name]
    return f"Approved: {' or '.join(named)}." if named else ""


def _identity_name(identity: Identity, code: str) -> str:
    if code == "GK304":
        return ""  # the detail names the ranges already
    package = identity.npm or identity.pypi
    if package:
        home = "npm" if identity.npm else "PyPI"
        return _joined(" ", package, identity.versions, f"({home})")
    return _joined(" ", identity.native, identity.versions)


def _last_seen(facts: Facts | None) -> str:
    if facts is None or isinstance(facts.token, Absent):
        return ""
    ago = render_span(facts.now - facts.token.issued_at)
    usable = "usable" if facts.now <= facts.token.expires_at else "was usable"
    return f"verified {ago} ago, {usable} until {render_instant(facts.token.expires_at)}"


def _command(decision: NotAllowed, scene: Scene) -> str:
    code, tool = decision.code, decision.tool
    if code == "GK304":
        install = _install_command(scene.facts)
        if install:
            return install
    if code == "GK306" and isinstance(decision, Refuse):
        return _repository_command(tool, decision.rule, scene.catalogue)
    return _with_tool(CODES[code].remedy, tool)


def _repository_command(tool: str, rule: str, catalogue: Catalogue | None) -> str:
    if rule == "unreadable":
        return "git remote --verbose"
    if not rule.startswith("zone:"):
        return _with_tool(CODES["GK306"].remedy, tool)
    zone = rule[5:]
    listed = catalogue.tool(tool) if catalogue is not None else None
    if listed is not None and zone in listed.zones_refused:
        return f"gatekeeper tools {quote(tool)}"  # no request is taken for it
    return f'gatekeeper request {quote(tool)} --zone {quote(zone)} --reason "…"'


def _install_command(facts: Facts | None) -> str:
    """Name the command that installs the newest approved version the way the present one was installed."""
    if facts is None or not isinstance(facts.executable, Executable) or isinstance(facts.token, Absent):
        return ""
    found = facts.executable
    for one in facts.token.identities:
        if one.npm and one.npm == found.npm and one.versions:
            # npm separates the comparators of a range by spaces
            wanted = f"{one.npm}@{one.versions.replace(',', ' ')}"
            return f"npm install -g {quote(wanted)}"
        if one.pypi and one.pypi == found.pypi and one.versions:
            wanted = f"{one.pypi}{one.versions}"
            if "/pipx/" in found.path:
                return f"pipx install --force {quote(wanted)}"
            if "/uv/tools/" in found.path:
                return f"uv tool install {quote(wanted)}"
            return f"pip install {quote(wanted)}"
    return ""


def _instead(decision: NotAllowed, scene: Scene) -> str:
    """Say what may be started today. Nothing where nothing could be decided: the same would meet the next tool."""
    if CODES[decision.code].kind not in (REFUSED, KIND_PENDING):
        return ""
    ready = [id_ for id_ in scene.available if id_ != decision.tool]
    if scene.catalogue is not None:
        ready += [
            t.id for t in scene.catalogue.tools if t.access == OPEN and t.id not in (*ready, decision.tool)
        ]
    offered = decision.problem.alternatives if decision.problem is not None else ()
    others = [id_ for id_ in offered if id_ not in (*ready, decision.tool)]
    return _joined(
        "; ",
        f"approved for you today: {', '.join(ready)}" if ready else "",
        f"offered instead: {', '.join(others)}" if others else "",
    )


def _help(code: str, problem: Problem | None, catalogue: Catalogue | None) -> str:
    ref = f"ref {problem.ref}" if problem is not None and problem.ref else ""
    people = catalogue.help if catalogue is not None else ""
    giver = "your operator or IT gives you the code" if "CODE" in CODES[code].remedy else ""
    return _joined(" · ", giver, people, f"gatekeeper explain {code}", ref)


def _remedy(error: GatekeeperError, row: Row, tool: str) -> str:
    if error.remedy and error.remedy not in _WITHOUT_TOOL:
        return error.remedy
    return _with_tool(error.remedy or row.remedy, tool)


def _with_tool(remedy: str, tool: str) -> str:
    return remedy.replace("TOOL", quote(tool)) if tool else _WITHOUT_TOOL.get(remedy, remedy)


def quote(word: str) -> str:
    """Quote one word for a POSIX shell, so that a command can be copied whatever a name holds."""
    safe = word.replace("@", "").replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    if safe.isascii() and safe.isalnum():
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)
