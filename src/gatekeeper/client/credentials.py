"""The credential of a profile (device key, refresh token): where it stands, and how it is reached.

One item a profile and service, in the operating system's keyring; where none is usable and policy allows it, a
0600 file in the data directory; for CI, this process's memory. The keyring is asked in a child process with a
deadline, because some hang for ever, by a class of the allow-list built by name: `keyring.get_keyring()`
would honour entry points, an environment variable that names a class, and a file that changes `sys.path`.
Never reached on the launch path. `python -m gatekeeper.client.credentials` is that child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from gatekeeper.client.credential_item import MAX_ITEM_BYTES, parse_item, render_item
from gatekeeper.client.credential_item import Credential as Credential  # noqa: PLC0414 - what every function here is about
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import optional_text, parse_object, render_json, text_of
from gatekeeper.values import Value
from gatekeeper.workstation.keeping import remove_record
from gatekeeper.workstation.state import SCHEMA, data_directory, save_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

KEYRING = "keyring"
FILE = "file"
MEMORY = "memory"
JOB = "job"  # a CI job's own folder; no setting says it: `client.ci` does

KEYRING_SERVICE = "gatekeeper"
UNATTENDED_FOR = 3.0
PROMPT_FOR = 60.0
# Module and class, in the order in which they are tried. Nothing that keeps plain text, chains others or
# comes from elsewhere than keyring itself.
BACKENDS = (
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
)
# What the child gets of the environment. KEYRING_PROPERTY_* would set attributes of the backend,
# PYTHON_KEYRING_BACKEND and the XDG configuration name others: none of them passes.
_PASSED = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SYSTEMROOT",
    "USER",
    "USERPROFILE",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_ID",
    "XDG_SESSION_TYPE",
)

# Why a keyring gave nothing.
NO_ITEM = "no item"
NO_BACKEND = "no backend"
LOCKED = "locked"
FAILED = "failed"


class Stored(Value):
    """Where a credential was put. `path` is the file's; `why` says why it is a file although a keyring was wanted."""

    where: str
    path: str = ""
    why: str = ""

    def announcement(self) -> str:
        """Return what must be said once where the credential stands in a file that nobody asked for, else ""."""
        if self.where != FILE or not self.why:
            return ""
        return f"The credential stands in {self.path}, readable by you alone; no keyring answered: {self.why}"


class KeyringSilent(ServiceUnreachable):
    """No keyring answers just now (GK601): locked, slow, broken, or `missing`, as over SSH. Who is signed in is not known."""

    def __init__(self, why: str, *, missing: bool) -> None:
        super().__init__("GK601", f"The keyring doesn't answer: {why}.")
        self.why = why
        self.missing = missing


class _KeyringFailed(Exception):
    """The child gave no value. `kind` is one of the four reasons above."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


_memory: dict[str, bytes] = {}


def load_credential(
    world: World, settings: Settings, *, prompt_for: float = UNATTENDED_FOR
) -> Credential | None:
    """Return this profile's credential for the configured service, or None where there is none.

    Above 3 s `prompt_for` lets the keyring ask its owner to unlock it.

    Raises:
        KeyringSilent: no keyring answers, so there may be one.
        GatekeeperError: GK106, there is no data directory.
    """
    if settings.credential_store == MEMORY:
        return parse_item(_memory.get(_item_name(settings), b""), issuer=settings.service)
    if settings.credential_store == JOB:
        return _load_file(world, settings)
    if settings.allow_file_store:
        # Before the keyring: a file stands there only because no keyring answered at the sign-in.
        kept = _load_file(world, settings)
        if kept is not None or settings.credential_store == FILE:
            return kept
    if settings.credential_store == FILE:
        return None
    try:
        text = _ask_keyring(world, "load", settings, limit=prompt_for)
    except _KeyringFailed as failure:
        if failure.kind == NO_ITEM:
            return None
        raise KeyringSilent(failure.why, missing=failure.kind == NO_BACKEND) from None
    return parse_item(text.encode("utf-8", "replace"), issuer=settings.service)


def save_credential(
    world: World, settings: Settings, credential: Credential, *, prompt_for: float = UNATTENDED_FOR
) -> Stored:
    """Keep a credential, in place of the one before.

    Raises:
        GatekeeperError: GK205, there is no place that policy allows; GK701 or GK106, the file can't be written.
    """
    item = render_item(credential)
    if settings.credential_store == MEMORY:
        _memory[_item_name(settings)] = item
        return Stored(where=MEMORY)
    if settings.credential_store == JOB:
        return Stored(where=FILE, path=_save_file(world, settings, item))
    why = ""
    if settings.credential_store == KEYRING:
        try:
            _ask_keyring(world, "save", settings, value=item.decode("utf-8"), limit=prompt_for)
        except _KeyringFailed as failure:
            why = failure.why
        else:
            _remove_file(world, settings)  # an older one would be found first
            return Stored(where=KEYRING)
    if not settings.allow_file_store:
        found = f"No keyring answers ({why})" if why else "credential_store is file"
        raise GatekeeperError(
            "GK205", f"{found}, and allow_file_store is false, so the device key has no safe place."
        )
    path = _save_file(world, settings, item)
    return Stored(where=FILE, path=path, why=why)


def delete_credential(world: World, settings: Settings, *, prompt_for: float = UNATTENDED_FOR) -> None:
    """Delete this profile's credential, wherever it stands; one that is not there is no error.

    Raises:
        KeyringSilent: the keyring may still hold it.
        GatekeeperError: GK701, the file can't be deleted; GK106, there is no data directory.
    """
    _memory.pop(_item_name(settings), None)
    _remove_file(world, settings)
    if settings.credential_store != KEYRING:
        return
    try:
        _ask_keyring(world, "delete", settings, limit=prompt_for)
    except _KeyringFailed as failure:
        if failure.kind not in (NO_ITEM, NO_BACKEND):
            raise KeyringSilent(failure.why, missing=False) from None


def _item_name(settings: Settings) -> str:
    return f"{settings.profile} {settings.service}"


# The file store


def _file(world: World, settings: Settings) -> tuple[str, str]:
    if settings.credential_store == JOB:
        return f"{settings.state_directory}/credentials", f"{settings.profile}.json"
    folder = f"{data_directory(world.environment(), world.home())}/credentials"
    return folder, f"{settings.profile}.json"


def _load_file(world: World, settings: Settings) -> Credential | None:
    folder, name = _file(world, settings)
    try:
        data, stat = world.open_read(f"{folder}/{name}", max_bytes=MAX_ITEM_BYTES)
        # Whoever may read it may have the key: sign in again, with another.
        if stat.uid != world.user_id() or stat.mode & 0o077:
            return None
        members = parse_object(data, max_bytes=MAX_ITEM_BYTES)
    except (OSError, Malformed):
        return None
    return parse_item(data, issuer=settings.service) if members.get("schema") == SCHEMA else None


def _save_file(world: World, settings: Settings, item: bytes) -> str:
    folder, name = _file(world, settings)
    save_record(world, folder, name, parse_object(item, max_bytes=MAX_ITEM_BYTES))
    return f"{folder}/{name}"


def _remove_file(world: World, settings: Settings) -> None:
    folder, name = _file(world, settings)
    remove_record(world, f"{folder}/{name}")


# The keyring: this process's side


def _ask_keyring(world: World, act: str, settings: Settings, *, limit: float, value: str = "") -> str:
    """Let the child do one thing within `limit` seconds. Raises `_KeyringFailed`."""
    call = {
        "act": act,
        "service": KEYRING_SERVICE,
        "name": _item_name(settings),
        "value": value,
        "prompt": limit > UNATTENDED_FOR,
    }
    inherited = world.environment()
    environment = {name: inherited[name] for name in _PASSED if name in inherited}
    # Where our own modules come from is this process's affair, and the child must find the same ones.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if os.path.isabs(path))  # noqa: PTH117 - texts, not files
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gatekeeper.client.credentials"],
            input=json.dumps(call).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            timeout=max(limit, 0.01),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _KeyringFailed(FAILED, f"no answer within {limit:.0f} s") from None
    except OSError as error:
        raise _KeyringFailed(FAILED, f"its process can't be started ({error.strerror})") from None
    try:
        answer = parse_object(done.stdout, max_bytes=2 * MAX_ITEM_BYTES)
        failure = optional_text(answer, "failure")
        if failure:
            raise _KeyringFailed(failure, optional_text(answer, "why") or failure)
        return optional_text(answer, "value", max_chars=MAX_ITEM_BYTES)
    except Malformed:
        raise _KeyringFailed(FAILED, "its process failed") from None


# The keyring: the child's side


def main() -> None:
    """Read one call from stdin, do it, write one answer to stdout. Whatever a backend prints goes nowhere."""
    answers = os.dup(1)
    os.dup2(2, 1)
    answer = _answer(sys.stdin.buffer.read(4 * MAX_ITEM_BYTES))
    os.write(answers, render_json(answer))
    os.close(answers)


def _answer(data: bytes) -> dict[str, object]:
    try:
        call = parse_object(data, max_bytes=4 * MAX_ITEM_BYTES)
        return {"value": _act(call)}
    except _KeyringFailed as failure:
        return {"failure": failure.kind, "why": failure.why}
    except Exception as error:  # noqa: BLE001 - a backend may raise anything; none of it may reach the parent raw
        return {"failure": FAILED, "why": f"{type(error).__name__}"}


def _act(call: Mapping[str, object]) -> str:
    service, name = text_of(call, "service"), text_of(call, "name")
    value = optional_text(call, "value", max_chars=MAX_ITEM_BYTES)
    may_prompt = call.get("prompt") is True
    whys = []
    for module, class_name in BACKENDS:
        backend, why = _build(module, class_name, may_prompt=may_prompt)
        if backend is None:
            whys.append(why)
            continue
        return _use(backend, str(call.get("act")), service, name, value)
    raise _KeyringFailed(NO_BACKEND, "; ".join(why for why in whys if why) or "none is installed")


def _build(module: str, class_name: str, *, may_prompt: bool) -> tuple[Any, str]:
    """Return a usable backend of the allow-list, or None and why it isn't usable here."""
    from importlib import import_module

    if (sys.platform == "darwin") != module.endswith(".macOS") or (
        sys.platform == "win32"
    ) != module.endswith(".Windows"):
        return None, ""  # each platform has its own; the others are Linux's
    try:
        cls = getattr(import_module(module), class_name)
        _ = cls.priority  # raises where the backend can't work here
    except Exception as error:  # noqa: BLE001 - whatever an import of a desktop's library raises
        return None, str(error).split("\n")[0][:160]
    if not may_prompt:
        cls = _unasking(cls, import_module(module))
    return cls(), ""


def _unasking(cls: Any, module: Any) -> Any:
    """Return a backend that never unlocks anything, since unlocking asks the person. Other platforms are left as they are."""
    if hasattr(module, "secretstorage"):
        return _unasking_secret_service(cls, module.secretstorage)
    return _unasking_kwallet(cls, module.dbus) if hasattr(module, "dbus") else cls


def _unasking_secret_service(cls: Any, secretstorage: Any) -> Any:
    class Unasking(cls):  # type: ignore[misc]
        def get_preferred_collection(self) -> Any:
            try:
                collection = secretstorage.get_collection_by_alias(secretstorage.dbus_init(), "default")
            except secretstorage.exceptions.ItemNotFoundException:
                raise _KeyringFailed(NO_BACKEND, "there is no keyring yet") from None
            self.unlock(collection)
            return collection

        def unlock(self, item: Any) -> None:
            if item.is_locked():
                raise _KeyringFailed(LOCKED, "it is locked")

    return Unasking


def _unasking_kwallet(cls: Any, dbus: Any) -> Any:
    class Unasking(cls):  # type: ignore[misc]
        def connected(self, service: str) -> Any:
            wallet = dbus.Interface(
                dbus.SessionBus().get_object(cls.bus_name, cls.object_path), "org.kde.KWallet"
            )
            if not wallet.isOpen(wallet.networkWallet()):
                raise _KeyringFailed(LOCKED, "it is locked")
            return super().connected(service)

    return Unasking


def _use(backend: Any, act: str, service: str, name: str, value: str) -> str:
    from keyring.errors import KeyringLocked, PasswordDeleteError

    try:
        match act:
            case "save":
                backend.set_password(service, name, value)
                # Some lose what they are given, silently (WSL): believe only what comes back.
                if backend.get_password(service, name) != value:
                    raise _KeyringFailed(FAILED, "it doesn't keep what it is given")
                return ""
            case "delete":
                backend.delete_password(service, name)
                return ""
            case _:
                kept = backend.get_password(service, name)
                if kept is None:
                    raise _KeyringFailed(NO_ITEM, "nothing stands in it")
                return str(kept)
    except PasswordDeleteError:
        raise _KeyringFailed(NO_ITEM, "nothing stands in it") from None
    except KeyringLocked:
        raise _KeyringFailed(LOCKED, "it is locked") from None


if __name__ == "__main__":
    main()
