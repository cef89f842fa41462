"""`tollgate asterisk`: write the configuration of the switch, and see whether a running switch fits."""

from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from runtime.command import (
    AsJson,
    CommandError,
    ExitCode,
    command_group,
    open_settings,
    print_document,
    print_done,
    print_table,
)

# What an Asterisk that is somebody's already includes; the other files would replace its own.
INCLUDED = ("tollgate-extensions.conf", "tollgate-pjsip.conf", "manager.d/tollgate.conf")
INCLUDED_TO_VERIFY = "tollgate-stir-shaken.conf"


def attach(app: typer.Typer) -> None:
    """Add `tollgate asterisk`, and the commands of the rooms below this one."""
    group = command_group(app, "asterisk", "The switch: write its configuration, check a running one.")
    group.command("render", epilog="Example: tollgate asterisk render /etc/asterisk")(render)
    group.command("check", epilog="Example: tollgate asterisk check --sounds /usr/share/asterisk/sounds/en")(check)
    if find_spec("dialplan.routes.cli") is not None:
        import_module("dialplan.routes.cli").attach(app)


def render(
    directory: Annotated[Path, typer.Argument(help="Where the files go, /etc/asterisk for a packaged Asterisk.")],
    whole: Annotated[
        bool, typer.Option("--whole", help="Also the files that make a whole switch of its own, asterisk.conf and all.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Write nothing; say what would change.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that were not written by this.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the configuration made from the settings. A file that somebody else wrote is left alone and named."""
    from dialplan.asterisk import configuration

    try:
        files = configuration.render(open_settings())
    except configuration.ConfigurationError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
    done: dict[str, str] = {}
    for path, text in sorted(files.items()):
        if whole or path in {*INCLUDED, INCLUDED_TO_VERIFY}:
            done[path] = _write(directory / path, text, dry_run=dry_run, force=force)
    if as_json:
        print_document({"directory": str(directory), "files": done, "dry_run": dry_run})
    else:
        print_table(str(directory), ("file", "what"), list(done.items()))
    if "foreign" in done.values():
        raise CommandError("some files are not ours and were left alone: move them away, or --force", ExitCode.PARTIAL)
    if not whole and not as_json:
        print_done(f'In extensions.conf: #include "{INCLUDED[0]}"   in pjsip.conf: #include "{INCLUDED[1]}"')
        print_done('In manager.conf: enabled=yes, timestampevents=yes, #include "manager.d/*.conf"')
        if INCLUDED_TO_VERIFY in done:
            print_done(f'In stir_shaken.conf: #include "{INCLUDED_TO_VERIFY}"')
        print_done('Then: asterisk -rx "core reload"')


def check(
    sounds: Annotated[
        list[Path] | None,
        typer.Option(
            "--sounds", help="A language directory of the switch, with tollgate/ or digits/ in it; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at the running switch: version, login, rights, modules, dialplan, trunk, sounds, the gateway's port.

    The sounds are the prompts of Tollgate and the words of Asterisk that it plays: in --sounds, else in
    switch.sounds_dirs, else where the switch says.

    Exit code 0 when all is good, 1 when something is not, 75 when the manager interface does not answer.
    """
    from dialplan.asterisk.check import check as look
    from sounds.presence import needed_sounds

    findings = list(look(open_settings(), sounds or (), needed_sounds()))
    if as_json:
        print_document({"findings": [asdict(one) for one in findings], "good": all(one.good for one in findings)})
    else:
        rows = [("ok" if one.good else "BAD", one.name, one.seen, "" if one.good else one.advice) for one in findings]
        print_table("The switch", ("", "what", "seen", "advice"), rows)
    bad = [one.name for one in findings if not one.good]
    if bad:
        raise CommandError(f"not good: {', '.join(bad)}", ExitCode.TEMPORARY if "manager" in bad else ExitCode.FAILED)


def _write(target: Path, text: str, *, dry_run: bool, force: bool) -> str:
    """What became of one file: new, changed, same, or foreign (there, not ours, left alone)."""
    old = target.read_text(encoding="utf-8", errors="replace") if target.exists() else None
    if old == text:
        return "same"
    if old is not None and "tollgate asterisk render" not in old[:400] and not force:
        return "foreign"
    if not dry_run:
        target.parent.mkdir(parents=True, exist_ok=True)
        # the token and the password of the manager interface are in there
        target.touch(mode=0o640)
        target.write_text(text, encoding="utf-8")
    return "new" if old is None else "changed"
