"""`tollgate key`: the keys that secrets are hashed with, a new one, and bringing everything under it."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    Yes,
    command_group,
    confirm,
    open_engine,
    open_keyed,
    open_pepper,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.rotation.rotation import Standing
    from runtime.keys import KeyRing


def attach(app: typer.Typer) -> None:
    """Bring `key`."""
    group = command_group(app, "key", "The keys of the keyed hashes: which there are, a new one, the change to it.")
    group.command("list", epilog="Example: tollgate key list --json")(list_keys)
    group.command("add", epilog="Example: tollgate key add")(add)
    group.command("rotate", epilog="Example: tollgate key rotate --yes")(rotate)
    group.command("retire", epilog='Example: tollgate key retire 2 --reason "the file was sent by mail"')(retire)


def list_keys(as_json: AsJson = False) -> None:
    """List the keys of the key file, and how many hashes and sealed values stand under each; reads all there are."""
    from billing.rotation import service
    from runtime.key_record.service import retired_keys

    engine, pepper = open_keyed()
    found, ring, retired = service.standings(engine, pepper), pepper.ring, retired_keys(engine)
    keys = [
        (number, _state(ring, number), pepper.fingerprint(number), _count(found, number))
        for number in range(1, len(ring.keys) + 1)
    ]
    if as_json:
        names = ("key", "state", "fingerprint", "under_it")
        columns = {one.column: {str(number): count for number, count in one.by_key.items()} for one in found}
        print_document(
            {
                "keys": [dict(zip(names, row, strict=True)) for row in keys],
                "columns": columns,
                "retired": [asdict(one) for one in retired],
            }
        )
    else:
        print_table("keys", ("key", "state", "fingerprint", "under it"), keys)
        if retired:
            rows = [(one.key_id, one.fingerprint, one.at, one.retired_by, one.reason) for one in retired]
            print_table("retired", ("key", "fingerprint", "at", "by", "reason"), rows)


def add(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Put a new key on standby in the key file; bring the file to every machine, then `tollgate key rotate`.

    Running processes of this machine know it at once. Nothing is written under it yet.
    """
    from runtime import keys

    settings = open_settings()
    path = settings.security.pepper_file
    if dry_run:
        number = len(keys.read_keys(path).keys) + 1
    else:
        open_pepper(settings, open_engine(settings))
        number = keys.add_key(path)
    if as_json:
        print_document({"key": number, "state": "standby", "key_file": str(path), "dry_run": dry_run})
    else:
        print_done(f"key {number} is on standby in {path}: back the file up, and bring it to every machine")


def rotate(yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> int:
    """Put the last key in use, bring every hash and sealed value under it; calls go on. Cut off, it is run again.

    Exit code 3 when all stands under it already, 4 when some rows could not be renewed now.
    """
    from billing.rotation import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    pepper = open_pepper(settings, engine)
    last = len(pepper.ring.keys)
    is_new = pepper.ring.writing != last
    if dry_run:
        wanted = {one.column: count for one in service.standings(engine, pepper) if (count := one.older_than(last))}
        if plain := service.in_plain(engine):
            wanted["identity_record (in plain)"] = plain
        if as_json:
            print_document({"key": last, "renewed": 0, "left": 0, "to_renew": wanted, "dry_run": True})
        else:
            print_table(f"to be brought under key {last}", ("column", "values"), list(wanted.items()))
        return ExitCode.OK if wanted or is_new else ExitCode.NOTHING
    if is_new:
        confirm(f"does every machine of this installation have key {last} in its key file?", yes=yes)
        pepper = service.put_in_use(engine, SystemClock(), settings.security.pepper_file)
    done = service.rotate(engine, pepper, _say_progress)
    if as_json:
        print_document({"key": done.key_id, "renewed": done.renewed, "left": done.left, "dry_run": False})
    else:
        rest = f", {done.left} left as they were: run it again" if done.left else ""
        print_done(f"key {done.key_id} is in use: {done.renewed} values brought under it{rest}")
    if done.left:
        return ExitCode.PARTIAL
    return ExitCode.OK if done.renewed or is_new else ExitCode.NOTHING


def retire(
    number: Annotated[int, typer.Argument(min=1, help="The key, by its line in the key file.")],
    reason: Reason,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a key that nothing rests on, the one on standby, out of the key file; who did it and why is kept.

    A key that anything rests on is refused, with how much does: a value under a later key is made of the earlier ones.
    """
    from billing.rotation import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    path = settings.security.pepper_file
    use = service.use_of(engine, open_pepper(settings, engine), number)
    if use.refusal is None and not dry_run:
        confirm(f"is key {number} in use by no other machine of this installation?", yes=yes)
        use = service.retire(engine, SystemClock(), path, number, by=staff_name(), reason=reason)
    if use.refusal is not None:
        raise CommandError(use.refusal)
    if as_json:
        print_document({"key": number, "retired": not dry_run, "key_file": str(path), "dry_run": dry_run})
    elif dry_run:
        print_done(f"nothing rests on key {number}: it can be retired")
    else:
        print_done(f"key {number} is retired: take it out of the key file of every other machine, and of its backups")


def _state(ring: "KeyRing", number: int) -> str:
    if number > ring.writing:
        return "standby"
    return "in use" if number == ring.writing else "older"


def _count(found: "list[Standing]", number: int) -> int:
    return sum(one.by_key.get(number, 0) for one in found)


def _say_progress(column: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{column}: {done} of {total}" + ("\n" if done >= total else ""))
        sys.stderr.flush()
