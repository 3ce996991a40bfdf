"""Which layer wins, what the managed layer locks, and that a launch and a command read the same settings."""

from __future__ import annotations

import errno
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.conftest import DROP_IN, MANAGED, PIN, PIN_2, PIN_3, STATE, SYSTEM, USER, Workstation

from gatekeeper.config.keys import KEYS
from gatekeeper.config.load import list_files, list_values, load_settings
from gatekeeper.config.merge import merge_settings, read_settings
from gatekeeper.errors import GatekeeperError
from gatekeeper.strict import render_json
from gatekeeper.workstation.settings import NEEDS_LOAD, VARIABLES, Settings, kept_settings

HTTPS = "https://gatekeeper.acme.example"
USER_TOML = f'service = "{HTTPS}"\ntrust_roots = ["{PIN}"]\n'


def read(world: Workstation, profile: str = "") -> Settings:
    """Read as a launch does, which must need nothing more."""
    settings = read_settings(world, profile=profile)
    assert isinstance(settings, Settings), settings
    return settings


def refused(world: Workstation, profile: str = "") -> GatekeeperError:
    """Return the error that launch and command both raise."""
    with pytest.raises(GatekeeperError) as by_load:
        load_settings(world, profile=profile)
    by_launch: list[object] = []
    with suppress(GatekeeperError):
        by_launch.append(read_settings(world, profile=profile))
    # The launch refuses too, or sends to the command, which does.
    assert all(outcome is NEEDS_LOAD for outcome in by_launch)
    return by_load.value


def origins(settings: Settings) -> dict[str, str]:
    """Return where each value came from."""
    return dict(settings.origins)


# Layers


def test_nothing_configured(world: Workstation) -> None:
    """Without any layer every key has its default, nothing is trusted, and a launch needs no TOML parser."""
    settings = read(world)
    assert settings == load_settings(world)
    assert (settings.service, settings.trust_roots, settings.trust_threshold) == ("", (), 1)
    assert (settings.profile, settings.credential_store, settings.allow_file_store) == (
        "default",
        "keyring",
        True,
    )
    assert (settings.managed, settings.offline, settings.no_input) == (False, False, False)
    assert settings.state_directory == STATE
    assert set(origins(settings).values()) == {"default"}


def test_the_two_lines_that_init_prints(world: Workstation) -> None:
    """service and trust_roots in the person's file are all that is needed; the threshold of one pin is 1."""
    world.user(USER_TOML)
    settings = load_settings(world)
    assert (settings.service, settings.trust_roots, settings.trust_threshold) == (HTTPS, (PIN,), 1)
    assert origins(settings)["service"] == f"user {USER}"


def test_several_pins_ask_for_two(world: Workstation) -> None:
    """With several pins the default threshold is 2; a stolen key of three proves nothing."""
    world.user(f'trust_roots = ["{PIN}", "{PIN_2}", "{PIN_3}"]')
    assert load_settings(world).trust_threshold == 2
    world.user(f'trust_roots = ["{PIN}", "{PIN_2}", "{PIN_3}"]\ntrust_threshold = 3')
    assert load_settings(world).trust_threshold == 3


def test_higher_layers_win(world: Workstation) -> None:
    """system < user < environment < option < managed, key by key."""
    world.system(
        'credential_store = "memory"\nverifier = "library"\nmin_root_version = 3\nca_bundle = "/s.pem"'
    )
    settings = load_settings(world)
    assert (settings.credential_store, settings.verifier) == ("memory", "library")
    world.user('credential_store = "file"\nca_bundle = "/u.pem"')
    assert load_settings(world).ca_bundle == "/u.pem"
    world.variables["GATEKEEPER_CA_BUNDLE"] = "/e.pem"
    settings = load_settings(world)
    assert (settings.ca_bundle, settings.credential_store, settings.verifier) == ("/e.pem", "file", "library")
    assert load_settings(world, overrides={"ca_bundle": "/f.pem"}).ca_bundle == "/f.pem"
    world.manage(ca_bundle="/m.pem")
    settings = read(world)
    assert (settings.ca_bundle, settings.min_root_version, settings.managed) == ("/m.pem", 3, True)
    assert origins(settings)["ca_bundle"] == f"managed {MANAGED}"


def test_an_empty_variable_sets_nothing(world: Workstation) -> None:
    """`GATEKEEPER_SERVICE=` in a script means: not set."""
    world.user(USER_TOML)
    world.variables["GATEKEEPER_SERVICE"] = ""
    assert load_settings(world).service == HTTPS


def test_the_environment_moves_no_trust(world: Workstation) -> None:
    """There is no variable for trust_roots, whatever it is called."""
    world.user(USER_TOML)
    for name in ("GATEKEEPER_TRUST_ROOTS", "GATEKEEPER_TRUST_THRESHOLD", "GATEKEEPER_MIN_ROOT_VERSION"):
        world.variables[name] = PIN_2
    assert load_settings(world).trust_roots == (PIN,)


def test_profiles(world: Workstation) -> None:
    """A profile's own values come before the general ones of the same file, and only for that profile."""
    world.user(
        USER_TOML + f'[profiles.work]\nservice = "https://work.acme.example"\ntrust_roots = ["{PIN_2}"]'
    )
    load_settings(world)
    assert read(world).service == HTTPS
    work = read(world, profile="work")
    assert (work.service, work.trust_roots, work.profile) == ("https://work.acme.example", (PIN_2,), "work")
    world.variables["GATEKEEPER_PROFILE"] = "work"
    assert read(world).service == "https://work.acme.example"
    assert read(world, profile="default").service == HTTPS


@pytest.mark.parametrize("profile", ["../../etc", "a/b", "", ".", "-x"])
def test_a_profiles_name_is_no_path(world: Workstation, profile: str) -> None:
    """What names a directory is checked before it names one."""
    world.variables["GATEKEEPER_PROFILE"] = profile
    if profile:
        assert refused(world).code == "GK101"
    else:
        assert read(world).profile == "default"


def test_ci_answers_no_questions(world: Workstation) -> None:
    """A variable CI turns prompts off, unless something says otherwise."""
    world.variables["CI"] = "true"
    assert read(world).no_input
    world.variables["GATEKEEPER_NO_INPUT"] = "0"
    assert not read(world).no_input
    del world.variables["GATEKEEPER_NO_INPUT"]
    world.variables["CI"] = "false"
    assert not read(world).no_input


def test_asking_for_the_file_is_consent(world: Workstation) -> None:
    """GATEKEEPER_CREDENTIAL_STORE=file overrides one's own `allow_file_store = false`, and never the managed one."""
    world.user("allow_file_store = false")
    assert not load_settings(world).allow_file_store
    world.variables["GATEKEEPER_CREDENTIAL_STORE"] = "file"
    assert load_settings(world).allow_file_store
    world.manage(allow_file_store=False)
    assert not load_settings(world).allow_file_store
    world.user('credential_store = "file"\nallow_file_store = false')
    del world.variables["GATEKEEPER_CREDENTIAL_STORE"]
    del world.files[MANAGED]
    assert not load_settings(world).allow_file_store


# The managed layer


def test_managed_trust_is_whole(world: Workstation) -> None:
    """Where the managed layer exists, service and pins come from it alone: no other layer adds or replaces a part."""
    world.user(USER_TOML + f'trust_threshold = 1\n[profiles.work]\nservice = "{HTTPS}"')
    world.system(USER_TOML)
    world.variables["GATEKEEPER_SERVICE"] = HTTPS
    world.manage(verifier="library")
    for profile in ("", "work"):
        settings = load_settings(world, profile=profile)
        assert (settings.service, settings.trust_roots, settings.managed) == ("", (), True)
    world.manage(service="https://gk.acme.example", trust_roots=[PIN_2, PIN_3])
    settings = load_settings(world)
    assert (settings.service, settings.trust_roots) == ("https://gk.acme.example", (PIN_2, PIN_3))
    assert settings.trust_threshold == 2


def test_drop_ins_are_merged(world: Workstation) -> None:
    """managed.d/*.json are managed too, the later name winning; other names are passed over."""
    world.manage(service=HTTPS, verifier="own")
    world.manage(f"{DROP_IN}/10-pins.json", trust_roots=[PIN], verifier="library")
    world.manage(f"{DROP_IN}/20-verifier.json", verifier="own")
    world.manage_text("no JSON at all", f"{DROP_IN}/README")
    world.manage_text("no JSON at all", f"{DROP_IN}/.hidden.json")
    settings = read(world)
    assert (settings.service, settings.trust_roots, settings.verifier) == (HTTPS, (PIN,), "own")
    assert origins(settings)["verifier"] == f"managed {DROP_IN}/20-verifier.json"


def test_a_drop_in_alone_is_a_managed_layer(world: Workstation) -> None:
    """Without managed.json, a file of managed.d locks trust all the same."""
    world.user(USER_TOML)
    world.manage(f"{DROP_IN}/a.json", offline_hint=1)
    assert refused(world).code == "GK101"
    world.manage(f"{DROP_IN}/a.json", verifier="own")
    assert load_settings(world).service == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"service":"https://a.example","service":"https://b.example"}',
        '{"service":"http://gatekeeper.acme.example"}',
        '{"trust_roots":[]}',
        '{"trust_threshold":1.5}',
        '{"unknown":1}',
        '{"profiles":{"work":{"unknown":1}}}',
        '{"profiles":{"work":1}}',
        '{"profiles":1}',
        '{"offline":true}',
        '{"verifier":null}',
        "\ufeff{}",
    ],
)
def test_a_malformed_managed_file_never_falls_open(world: Workstation, text: str) -> None:
    """Whatever is wrong with it, nothing of the person's own counts instead: GK101, naming the file."""
    world.user(USER_TOML)
    world.manage_text(text)
    error = refused(world)
    assert error.code == "GK101"
    assert MANAGED in error.detail
    assert MANAGED in error.remedy
    with pytest.raises(GatekeeperError):
        read_settings(world)


@pytest.mark.parametrize(
    ("path", "uid", "mode"),
    [
        (MANAGED, 1000, 0o644),
        (MANAGED, 0, 0o664),
        (MANAGED, 0, 0o646),
        ("/etc/gatekeeper", 1000, 0o755),
        ("/etc/gatekeeper", 0, 0o777),
        (DROP_IN, 0, 0o775),
        (f"{DROP_IN}/a.json", 1000, 0o600),
    ],
)
def test_a_managed_file_that_others_may_change(world: Workstation, path: str, uid: int, mode: int) -> None:
    """The file, its drop-ins and their directories must be root's and nobody else's to write: GK101."""
    world.manage(service=HTTPS)
    world.manage(f"{DROP_IN}/a.json", trust_roots=[PIN])
    assert read(world).trust_roots == (PIN,)
    world.owners[path], world.modes[path] = uid, mode
    error = refused(world)
    assert error.code == "GK101"
    assert path in error.detail


@pytest.mark.parametrize("failure", [errno.EACCES, errno.EIO, errno.ELOOP])
def test_a_managed_file_that_cannot_be_read(failure: int) -> None:
    """An error other than "not there" is no absence: GK101."""
    world = Workstation(fail_at=None, failure=failure)
    world.user(USER_TOML)
    world.manage(service=HTTPS)
    load_settings(world)
    reads = [at for at, call in enumerate(world.calls) if call == ("open_read", MANAGED)]
    again = Workstation(world.files, fail_at=reads[0], failure=failure)
    again.owners, again.modes = world.owners, world.modes
    with pytest.raises(GatekeeperError) as caught:
        load_settings(again)
    assert caught.value.code == "GK101"


def test_a_huge_managed_file(world: Workstation) -> None:
    """A file beyond the limit is refused, not read in part."""
    world.manage_text('{"service":"' + "a" * 300_000 + '"}')
    assert refused(world).code == "GK101"


def test_a_locked_profile(world: Workstation) -> None:
    """An option that contradicts a managed key is told whose it is: GK102. The same value is no contradiction."""
    world.manage(profile="work")
    error = refused(world, profile="home")
    assert (error.code, MANAGED in error.detail) == ("GK102", True)
    assert read(world, profile="work").profile == "work"
    world.variables["GATEKEEPER_PROFILE"] = "home"
    assert read(world).profile == "work"


# The snapshot


def test_a_launch_reads_the_snapshot(world: Workstation) -> None:
    """Without a snapshot the TOML must be loaded first; then launch and command agree on every value and origin."""
    world.user(USER_TOML + '[profiles.work]\nverifier = "library"')
    world.system('credential_store = "file"')
    assert read_settings(world) is NEEDS_LOAD
    for profile in ("", "work"):
        assert load_settings(world, profile=profile) == read(world, profile=profile)
    assert read(world, profile="work").verifier == "library"


@pytest.mark.parametrize("profile", ["", "work"])
def test_what_is_kept_is_what_merging_gives(world: Workstation, profile: str) -> None:
    """A launch takes settings as they were resolved, and they are those of the layers, origins included."""
    world.user(USER_TOML + '[profiles.work]\nverifier = "library"')
    world.system('credential_store = "file"\noffline = true')
    load_settings(world)
    kept = kept_settings(world, profile=profile)
    assert kept is not None
    assert (
        kept
        == merge_settings(world, profile=profile)
        == load_settings(world, profile=profile).replace(warnings=())
    )


def test_what_is_kept_counts_only_where_nothing_stands_above(world: Workstation) -> None:
    """A variable, a managed file, another profile, another file or a damaged value: the layers are merged."""
    world.user(USER_TOML)
    load_settings(world)
    assert kept_settings(world, profile="") is not None
    assert kept_settings(world, profile="other") is None
    for name in VARIABLES:
        world.variables[name] = "1"
        assert kept_settings(world, profile="") is None
        del world.variables[name]
    path = f"{STATE}/config.json"
    data = world.files[path]
    assert isinstance(data, bytes)
    for old, new in ((b'"offline":false', b'"offline":0'), (b'"resolved"', b'"other"')):
        assert old in data
        world.files[path] = data.replace(old, new)
        assert kept_settings(world, profile="") is None
    world.files[path] = data
    assert kept_settings(world, profile="") is not None
    world.manage(verifier="library")
    assert kept_settings(world, profile="") is None


def test_the_variables_that_are_looked_for_are_those_of_the_keys() -> None:
    """A key's new variable can't be passed over where the snapshot is used."""
    assert set(VARIABLES) == {key.variable for key in KEYS if key.variable} | {"CI"}


def test_a_changed_file_needs_loading(world: Workstation) -> None:
    """Any change of either file, its appearing or going, makes the snapshot old."""
    world.user(USER_TOML)
    load_settings(world)
    world.system('verifier = "library"')
    assert read_settings(world) is NEEDS_LOAD
    load_settings(world)
    assert read(world).verifier == "library"
    world.user(USER_TOML.replace("https://gatekeeper", "https://gatekeepes"))  # of the same length
    assert read_settings(world) is NEEDS_LOAD
    load_settings(world)
    del world.files[USER]
    assert read_settings(world) is NEEDS_LOAD
    load_settings(world)
    assert read(world).service == ""
    del world.files[SYSTEM]
    assert read(world).verifier == "own"


def test_another_directory_needs_loading(world: Workstation) -> None:
    """A snapshot of another configuration directory isn't this one's."""
    world.user(USER_TOML)
    load_settings(world)
    world.variables["GATEKEEPER_CONFIG_DIR"] = "/other"
    world.write("/other/config.toml", 'verifier = "library"')
    assert read_settings(world) is NEEDS_LOAD


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"schema":1}',
        b'{"schema":2,"user":{},"system":{}}',
        b'{"schema":1,"user":[],"system":[]}',
        b"\xff",
    ],
)
def test_a_damaged_snapshot_needs_loading(world: Workstation, data: bytes) -> None:
    """A torn or foreign snapshot is as if there were none."""
    world.user(USER_TOML)
    load_settings(world)
    world.files[f"{STATE}/config.json"] = data
    assert read_settings(world) is NEEDS_LOAD


def test_a_snapshot_holds_no_more_than_a_file_may(world: Workstation) -> None:
    """A value in the snapshot that the file could not hold sends back to the file, wherever layers are merged."""
    world.user(USER_TOML)
    load_settings(world)
    path = f"{STATE}/config.json"
    data = world.files[path]
    assert isinstance(data, bytes)
    world.files[path] = data.replace(b"https://", b"http:///")
    assert merge_settings(world, profile="") is NEEDS_LOAD


def test_managed_wins_over_a_forged_snapshot(world: Workstation) -> None:
    """Whatever stands in the snapshot, managed trust is read from the managed file."""
    world.user(USER_TOML)
    load_settings(world)
    world.manage(service="https://gk.acme.example", trust_roots=[PIN_2])
    settings = read(world)
    assert (settings.service, settings.trust_roots) == ("https://gk.acme.example", (PIN_2,))


def test_a_disk_that_refuses_makes_launches_slower_only(world: Workstation) -> None:
    """Without a snapshot the settings are the same, and nothing fails."""
    world.user(USER_TOML)
    world.refusing = {"replace"}
    assert load_settings(world).service == HTTPS
    world.refusing = {"make_directory"}
    assert load_settings(world).service == HTTPS
    assert read_settings(world) is NEEDS_LOAD


# What is wrong


def test_everything_wrong_is_told_at_once(world: Workstation) -> None:
    """One error names every file, key and variable that needs correcting."""
    world.user('service = "http://gatekeeper.acme.example"\ntrust_roots = ["short"]\nverifier = "none"')
    world.system("this is not TOML")
    world.variables["GATEKEEPER_OFFLINE"] = "perhaps"
    error = refused(world)
    for part in (USER, "service", "trust_roots", "43", "verifier", SYSTEM, "not TOML", "GATEKEEPER_OFFLINE"):
        assert part in error.detail
    assert USER in error.remedy
    problems = error.facts["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"a = ",
        b"service = 1979-05-27",
        b"[service]\nx=1",
        b"a=[" + b"[" * 5000,
        b"x" * 300_000,
        b"trust_threshold = " + b"9" * 5000,
        b"trust_threshold = 0x" + b"f" * 5000,
        b"unknown = " + b"9" * 5000,
    ],
)
def test_a_malformed_file_of_a_person(world: Workstation, data: bytes) -> None:
    """Not UTF-8, not TOML, the wrong type, nested too deep or too long: GK101 with the file's name."""
    world.files[USER] = data
    error = refused(world)
    assert (error.code, USER in error.detail) == ("GK101", True)


def test_unknown_keys_warn(world: Workstation) -> None:
    """In a person's file an unknown key, or one that isn't for there, is passed over with a warning."""
    world.user(
        USER_TOML
        + 'colour = "blue"\noffline = true\nenforce_from = "2030-01-01T00:00:00Z"\n[profiles]\nx = 1'
    )
    settings = load_settings(world)
    assert settings.service == HTTPS
    assert not settings.offline
    assert settings.enforce_from == ""
    assert len(settings.warnings) == 4
    assert all(USER in warning for warning in settings.warnings)
    assert read(world).warnings == ()


def test_more_signers_than_pins(world: Workstation) -> None:
    """A threshold that no document could meet is an error, told with both origins."""
    world.user(f'trust_roots = ["{PIN}"]')
    world.system("trust_threshold = 2")
    error = refused(world)
    assert (error.code, SYSTEM in error.detail, USER in error.detail) == ("GK101", True, True)


def test_no_home(world: Workstation) -> None:
    """Without a home directory, or with a relative one of ours: GK106 with the variable to set."""
    world.home_directory = ""
    world.variables = {}
    assert refused(world).code == "GK106"
    world.variables = {"GATEKEEPER_STATE_DIR": "state", "GATEKEEPER_CONFIG_DIR": "/c"}
    assert refused(world).code == "GK106"


# Listing


def test_every_value_with_its_origin(world: Workstation) -> None:
    """`config list` shows the value in force, where it stands, and whether it is locked."""
    world.user('credential_store = "file"')
    world.manage(service=HTTPS, trust_roots=[PIN])
    world.variables["GATEKEEPER_OFFLINE"] = "1"
    rows = {row.key: row for row in list_values(world)}
    assert (rows["service"].value, rows["service"].origin, rows["service"].locked) == (
        HTTPS,
        f"managed {MANAGED}",
        True,
    )
    assert rows["trust_roots"].value == [PIN]
    assert (rows["trust_threshold"].value, rows["trust_threshold"].locked) == (1, True)
    assert (rows["credential_store"].origin, rows["credential_store"].locked) == (f"user {USER}", False)
    assert (rows["offline"].value, rows["offline"].origin) == (True, "environment GATEKEEPER_OFFLINE")
    assert rows["verifier"].origin == "default"


def test_files_of_the_layers(world: Workstation) -> None:
    """`config path` names every file, there or not, highest layer first; a broken one is named too."""
    world.user("broken [")
    world.manage_text("broken")
    files = [(file.layer, file.path, file.present) for file in list_files(world)]
    assert files == [("managed", MANAGED, True), ("user", USER, True), ("system", SYSTEM, False)]


def test_a_locked_option_is_refused(world: Workstation) -> None:
    """An option for what the managed layer sets: GK102, naming the file."""
    world.manage(ca_bundle="/m.pem")
    with pytest.raises(GatekeeperError) as caught:
        load_settings(world, overrides={"ca_bundle": "/f.pem"})
    assert (caught.value.code, MANAGED in caught.value.detail) == ("GK102", True)


LAYERS = st.fixed_dictionaries(
    {},
    optional={
        "service": st.sampled_from(["https://a.example", "https://b.example"]),
        "trust_roots": st.sampled_from([[PIN], [PIN_2], [PIN, PIN_2]]),
        "verifier": st.sampled_from(["own", "library"]),
        "min_root_version": st.integers(0, 3),
    },
)


def toml(members: dict[str, object]) -> str:
    """Render the few types that these tests use."""
    return "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in members.items())


@given(
    managed=st.none() | LAYERS,
    user=LAYERS,
    system=LAYERS,
    variable=st.sampled_from(["", "https://c.example"]),
)
def test_launch_and_command_agree(
    managed: dict[str, object] | None, user: dict[str, object], system: dict[str, object], variable: str
) -> None:
    """For any layers the two readers give the same settings; and managed trust is never mixed with another's."""
    world = Workstation()
    world.user(toml(user))
    world.system(toml(system))
    if managed is not None:
        world.manage_text(render_json(managed).decode())
    if variable:
        world.variables["GATEKEEPER_SERVICE"] = variable
    loaded = load_settings(world)
    assert read(world) == loaded
    if managed is not None:
        assert loaded.service == managed.get("service", "")
        pins = managed.get("trust_roots", [])
        assert isinstance(pins, list)
        assert loaded.trust_roots == tuple(pins)
    else:
        assert loaded.service == (variable or user.get("service") or system.get("service") or "")
