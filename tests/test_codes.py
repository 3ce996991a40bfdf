"""The table of codes against the command line's contract, which is written out here by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekeeper import codes
from gatekeeper.codes import CODES, EXIT_PRECEDENCE

SOURCE = Path(codes.__file__).resolve().parent

# The exits of `check` and the others, and of `run`: the contract's rows, not the code's.
SUCCESS = (0, 0)
BUG = (1, 125)
USAGE = (2, 125)
REFUSED = (3, 126)
SIGN_IN = (4, 125)
PENDING = (5, 126)
COULD_NOT_DECIDE = (6, 125)
INVALID = (7, 125)
NOT_INSTALLED = (8, 127)
INTERRUPTED = (130, 130)

# Every code that the contract fixes, with the outcome that its words say.
FIXED = {
    "GK101": INVALID,  # unusable configuration
    "GK102": INVALID,  # locked by the managed layer: `config set` of a locked key exits 7
    "GK103": USAGE,  # bad TOOL: a path is a usage error
    "GK104": INVALID,  # no trust_roots
    "GK201": SIGN_IN,  # signed out
    "GK202": SIGN_IN,  # device revoked
    "GK203": SIGN_IN,  # code used, expired or wrong
    "GK204": SIGN_IN,  # state of another machine
    "GK301": REFUSED,  # not approved
    "GK302": REFUSED,  # not in the catalogue: unknown tool
    "GK303": REFUSED,  # closed
    "GK304": REFUSED,  # version
    "GK305": REFUSED,  # identity or digest
    "GK306": REFUSED,  # repository: wrong zone
    "GK307": REFUSED,  # revoked
    "GK308": REFUSED,  # ended: expired grant
    "GK309": REFUSED,  # denied
    "GK310": REFUSED,  # a policy rule
    "GK311": REFUSED,  # stopped for now
    "GK401": PENDING,  # pending
    "GK402": PENDING,  # waitlisted
    "GK403": REFUSED,  # suspended counts as refused
    "GK404": USAGE,  # reason too short counts as usage
    "GK405": REFUSED,  # review not yours counts as refused
    "GK406": PENDING,  # terms not accepted counts as pending
    "GK407": PENDING,  # a question waits for your answer counts as pending
    "GK501": INVALID,  # bad signature
    "GK502": INVALID,  # wrong issuer, audience, purpose or type
    "GK503": INVALID,  # rollback
    "GK504": COULD_NOT_DECIDE,  # root document expired
    "GK505": INVALID,  # too few pinned signers
    "GK506": INVALID,  # log inconsistent
    "GK601": COULD_NOT_DECIDE,  # unreachable, no usable token
    "GK602": COULD_NOT_DECIDE,  # the service's answer can't be read, which counts as unreachable
    "GK701": INVALID,  # damaged state
    "GK702": INVALID,  # clock behind
    "GK801": NOT_INSTALLED,  # not installed
    "GK802": INVALID,  # loop of wrappers: invalid environment
    "GK803": INVALID,  # exec failed: invalid environment
}

KINDS = {
    codes.ALLOWED: SUCCESS,
    codes.BUG: BUG,
    codes.USAGE: USAGE,
    codes.REFUSED: REFUSED,
    codes.SIGN_IN: SIGN_IN,
    codes.PENDING: PENDING,
    codes.UNDETERMINED: COULD_NOT_DECIDE,
    codes.INVALID: INVALID,
    codes.NOT_INSTALLED: NOT_INSTALLED,
    codes.INTERRUPTED: INTERRUPTED,
}


@pytest.mark.parametrize("code", FIXED)
def test_a_fixed_code_has_the_exits_of_the_contract(code: str) -> None:
    """Scripts depend on both numbers."""
    assert (CODES[code].check_exit, CODES[code].run_exit) == FIXED[code]


@pytest.mark.parametrize("code", CODES)
def test_every_row_is_whole(code: str) -> None:
    """It knows its own code, its exits are its kind's, and it has words: a title, a meaning, a remedy."""
    row = CODES[code]
    assert row.code == code
    assert re.fullmatch(r"GK[1-9][0-9]{2}", code)
    assert (row.check_exit, row.run_exit) == KINDS[row.kind]
    assert row.title
    assert not row.title.endswith(".")
    assert row.meaning.endswith(".")
    assert row.remedy.startswith(("gatekeeper ", "type -a "))


def test_no_code_succeeds() -> None:
    """A code is always about something that is not simply allowed, so none may end in 0."""
    assert not [row.code for row in CODES.values() if 0 in {row.check_exit, row.run_exit}]


def test_run_never_gives_an_exit_that_a_decision_does_not_own() -> None:
    """126 is refused or pending, 127 not installed; whatever broke is 125, never a number that means a denial."""
    for row in CODES.values():
        assert (row.run_exit == 126) == (row.check_exit in {3, 5}), row.code
        assert (row.run_exit == 127) == (row.check_exit == 8), row.code


def test_no_row_is_written_twice() -> None:
    """The table is built from pairs, so a second row would silently replace the first."""
    written = re.findall(
        r'^        _row\(\n            "(GK\d{3})"', (SOURCE / "codes.py").read_text("utf-8"), re.MULTILINE
    )
    assert written == sorted(CODES)


def test_several_tools_give_the_first_present_of_the_contracts_order() -> None:
    """7, 4, 3, 6, 5, 8; and no exit of a verdict is left out."""
    assert EXIT_PRECEDENCE == (7, 4, 3, 6, 5, 8)
    verdicts = {REFUSED, SIGN_IN, PENDING, COULD_NOT_DECIDE, INVALID, NOT_INSTALLED}
    assert set(EXIT_PRECEDENCE) == {exits[0] for exits in verdicts}


def test_refusals_never_sound_like_malware() -> None:
    """The words people read: never "blocked", "violation", "threat" or "malicious"."""
    for row in CODES.values():
        words = f"{row.title} {row.meaning} {row.remedy}".lower()
        assert not re.search(r"block|violat|threat|malicious|forbid", words), row.code


def test_every_code_in_the_source_is_in_the_table() -> None:
    """A code that nothing explains, and that has no exit status, can't be raised anywhere."""
    used = {
        code
        for path in SOURCE.rglob("*.py")
        for code in re.findall(r"[\"'](GK\d{3})[\"']", path.read_text("utf-8"))
    }
    assert len(used) > 30
    assert used <= set(CODES)
