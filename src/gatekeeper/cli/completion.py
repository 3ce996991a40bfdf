"""`gatekeeper completion`: a static script for a shell. Only the names of tools are looked up while typing.

They come from the catalogue in the state, with no call. Bash and others expand what a completion gives
them, so a name with anything but letters, digits and `-_.+` is never offered.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatekeeper.cli.formats.text import write
from gatekeeper.cli.here import Here
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.state import is_file_name

EXAMPLES = (
    'eval "$(gatekeeper completion bash)"                       in ~/.bashrc',
    'eval "$(gatekeeper completion zsh)"                        in ~/.zshrc, after compinit',
    "gatekeeper completion fish > ~/.config/fish/completions/gatekeeper.fish",
    "gatekeeper completion powershell | Out-String | Invoke-Expression",
)
TAKES_TOOL = ("run", "check", "tools", "request")
GLOBALS = ("--profile", "--no-input", "--help", "--version")
_NAMES = "gatekeeper completion --tool-names 2>/dev/null"


def completion(
    ctx: typer.Context,
    shell: Annotated[
        str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.", show_default=False)
    ] = "",
    *,
    tool_names: Annotated[bool, typer.Option("--tool-names", hidden=True)] = False,
) -> int:
    """Print a completion script for SHELL: bash, zsh, fish or powershell."""
    import sys

    if tool_names:
        write(sys.stdout, "".join(f"{name}\n" for name in known_names(ctx.obj.here())))
        return 0
    if shell not in SCRIPTS:
        raise GatekeeperError(
            "GK100",
            f"completion knows {', '.join(SCRIPTS)}, not {shell!r}."
            if shell
            else "completion needs a SHELL.",
            remedy="gatekeeper completion --help",
        )
    write(sys.stdout, SCRIPTS[shell](command_words()))
    return 0


def known_names(here: Here) -> list[str]:
    """Return the tools of the catalogue held here; nothing at all where anything is wrong, for a prompt is no place to say so."""
    try:
        held = here.held
    except GatekeeperError:
        return []
    names = [tool.id for tool in held.catalogue.tools] if held.catalogue is not None else []
    names += [token.tool for token in held.tokens]
    return sorted({name for name in names if is_file_name(name)})


def command_words() -> dict[str, list[str]]:
    """Return what may follow each command: its subcommands and its options."""
    from gatekeeper.cli.app import COMMANDS, build_command

    words: dict[str, list[str]] = {}
    for name, entry in COMMANDS.items():
        try:
            command = build_command(name, entry)
        except ImportError:  # the service's packages are an extra
            words[name] = []
            continue
        words[name] = [*getattr(command, "commands", {}), *_options_of(command)]
    words["requests"] = ["cancel", *words["requests"]]
    words["completion"] = [*SCRIPTS, *words["completion"]]
    return words


def _options_of(command: Any) -> list[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return [*(opt for one in shown for opt in one.opts if opt.startswith("--")), "--help"]


def _bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(
        f'        {name}) words="{" ".join(options)}{_bash_names(name)}" ;;'
        for name, options in words.items()
    )
    return f"""# bash completion of gatekeeper
_gatekeeper() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" command="" tool="" at=1 words=""
    while (( at < COMP_CWORD )); do
        case "${{COMP_WORDS[at]}}" in
            --profile|--reason|--wait-timeout|--result-file) (( at++ )) ;;
            -*) ;;
            *) if [[ -z "$command" ]]; then command="${{COMP_WORDS[at]}}"; else tool="${{COMP_WORDS[at]}}"; break; fi ;;
        esac
        (( at++ ))
    done
    # What follows the tool is the tool's own business.
    if [[ "$command" == run && -n "$tool" ]]; then compopt -o default 2>/dev/null; COMPREPLY=(); return; fi
    case "$command" in
        "") words="{" ".join([*words, *GLOBALS])}" ;;
{cases}
    esac
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
}}
complete -F _gatekeeper gatekeeper
"""


def _bash_names(name: str) -> str:
    return f" $({_NAMES})" if name in TAKES_TOOL else ""


def _zsh(words: dict[str, list[str]]) -> str:
    cases = "\n".join(
        f"        {name}) offered=({' '.join(options)}{_zsh_names(name)}) ;;"
        for name, options in words.items()
    )
    return f"""#compdef gatekeeper
_gatekeeper() {{
    local command="" tool="" at=2
    local -a offered
    while (( at < CURRENT )); do
        case "${{words[at]}}" in
            --profile|--reason|--wait-timeout|--result-file) (( at++ )) ;;
            -*) ;;
            *) if [[ -z "$command" ]]; then command="${{words[at]}}"; else tool="${{words[at]}}"; break; fi ;;
        esac
        (( at++ ))
    done
    if [[ "$command" == run && -n "$tool" ]]; then _files; return; fi
    case "$command" in
        "") offered=({" ".join([*words, *GLOBALS])}) ;;
{cases}
    esac
    compadd -- $offered
}}
compdef _gatekeeper gatekeeper
"""


def _zsh_names(name: str) -> str:
    return f' ${{(f)"$({_NAMES})"}}' if name in TAKES_TOOL else ""


def _fish(words: dict[str, list[str]]) -> str:
    from gatekeeper.cli.app import COMMANDS

    lines = ["# fish completion of gatekeeper", "complete -c gatekeeper -f"]
    lines += [
        f"complete -c gatekeeper -n __fish_use_subcommand -a {name} -d '{_fish_text(COMMANDS[name].words)}'"
        for name in words
    ]
    for name, options in words.items():
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        plain = [word for word in options if not word.startswith("--")]
        if plain:
            lines.append(f"complete -c gatekeeper {seen} -a '{' '.join(plain)}'")
        lines += [f"complete -c gatekeeper {seen} -l {word[2:]}" for word in options if word.startswith("--")]
        if name in TAKES_TOOL:
            lines.append(f"complete -c gatekeeper {seen} -a '({_NAMES})'")
    return "\n".join(lines) + "\n"


def _fish_text(words: str) -> str:
    return words.replace("\\", "\\\\").replace("'", "\\'")


def _powershell(words: dict[str, list[str]]) -> str:
    cases = "\n".join(
        f"        '{name}' {{ $offered = @({_powershell_list(options)}){_powershell_names(name)} }}"
        for name, options in words.items()
    )
    return f"""# PowerShell completion of gatekeeper
Register-ArgumentCompleter -Native -CommandName gatekeeper -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)
    $typed = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object {{ $_.ToString() }})
    $command = $typed | Where-Object {{ $_ -notlike '-*' -and $_ -ne $wordToComplete }} | Select-Object -First 1
    $offered = @({_powershell_list([*words, *GLOBALS])})
    switch ($command) {{
{cases}
    }}
    $offered | Where-Object {{ $_ -like "$wordToComplete*" }} |
        ForEach-Object {{ [System.Management.Automation.CompletionResult]::new($_) }}
}}
"""


def _powershell_list(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _powershell_names(name: str) -> str:
    return " + @(gatekeeper completion --tool-names 2>$null)" if name in TAKES_TOOL else ""


SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}
