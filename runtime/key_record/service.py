"""Which keys the database has something under, by their fingerprints: so that a key file that does not fit is known at
once, and not by callers whose PINs are wrong all of a sudden."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from runtime.database import reading, transaction
from runtime.key_record.tables import secret_key, secret_key_retired
from runtime.keys import KeyFileError, Pepper, load_pepper, make_pepper

_KNOWN = sa.select(secret_key.c.id, secret_key.c.fingerprint).order_by(secret_key.c.id)


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that was taken away before anything was written under it."""

    key_id: int
    fingerprint: str
    at: datetime
    retired_by: str
    reason: str


def note_retired(conn: Connection, retired: Retired) -> None:
    """Keep that a key was taken away."""
    conn.execute(
        sa.insert(secret_key_retired).values(
            key_id=retired.key_id,
            fingerprint=retired.fingerprint,
            at=retired.at,
            retired_by=retired.retired_by,
            reason=retired.reason,
        )
    )


def retired_keys(engine: Engine) -> list[Retired]:
    """Every key that was taken away, the newest first."""
    table = secret_key_retired
    columns = (table.c.key_id, table.c.fingerprint, table.c.at, table.c.retired_by, table.c.reason)
    with reading(engine) as conn:
        return [Retired(*row) for row in conn.execute(sa.select(*columns).order_by(table.c.id.desc()))]


def known_keys(conn: Connection) -> dict[int, str]:
    """The fingerprint of each key that the database has something under."""
    return {row.id: row.fingerprint for row in conn.execute(_KNOWN)}


def note_keys(conn: Connection, pepper: Pepper, now: datetime) -> None:
    """Note the keys up to the one in use, before anything is written under it; raises as `require_keys` does."""
    known = known_keys(conn)
    _check(known, pepper)
    rows = [
        {"id": number, "fingerprint": pepper.fingerprint(number), "used_since_at": now}
        for number in range(1, pepper.ring.writing + 1)
        if number not in known
    ]
    if rows:
        conn.execute(sa.insert(secret_key), rows)


def make_and_note(engine: Engine, path: Path, now: datetime) -> bool:
    """Make the key file of a new installation and note its keys; true if it was made.

    Raises KeyFileError, and makes none, where the database has secrets under keys that a new file would not have.
    """
    with transaction(engine) as conn:
        known = known_keys(conn)
        if known and not path.exists():
            raise KeyFileError(
                f"{path}: no key file, and the database has secrets under {len(known)} "
                f"{'key' if len(known) == 1 else 'keys'}: bring the file that belongs to it"
            )
        was_made = make_pepper(path)
        note_keys(conn, load_pepper(path), now)
    return was_made


def require_keys(engine: Engine, pepper: Pepper) -> None:
    """Raise KeyFileError unless the file has every key that the database has something under, and those very ones."""
    with reading(engine) as conn:
        known = known_keys(conn)
    _check(known, pepper)


def _check(known: dict[int, str], pepper: Pepper) -> None:
    keys = len(pepper.ring.keys)
    missing = [number for number in known if number > keys]
    if missing:
        raise KeyFileError(
            f"the database has secrets under key {missing[0]} and the key file (security.pepper_file) has {keys} "
            f"{'key' if keys == 1 else 'keys'}: bring the file from where `tollgate key rotate` was run, or from its "
            "backup"
        )
    wrong = [number for number, fingerprint in known.items() if pepper.fingerprint(number) != fingerprint]
    if wrong:
        raise KeyFileError(
            f"key {wrong[0]} of the key file (security.pepper_file) is not the one the database was written with: "
            "bring the file that belongs to this database"
        )
