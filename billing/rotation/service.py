"""The rotation of keys: bring every keyed hash under the newest key, batch by batch, while calls go on (AGE-5).

Nobody has to know the secrets for it (see `runtime.keys`). Every row says which key it stands under, so a run that was
cut off is simply run again, and a caller is found before, while and after his row is renewed.
"""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from ani.qualification.service import count_plain_persons, seal_persons
from billing.rotation import store
from billing.rotation.rotation import Batch, KeyUse, Rotated, Standing
from billing.rotation.store import Holder
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError
from runtime.key_record.service import Retired, known_keys, note_keys, note_retired, require_keys
from runtime.keys import KeyFileError, Pepper, drop_standby, load_pepper, use_last_key
from runtime.sealing import Place, open_sealed, seal

BATCH_ROWS = 500
PASSES = 5
"""So often rows that others had locked are tried again."""
_REST_S = 1 / 50

Watch = Callable[[str, int, int], None]
"""Told now and then: the column, hashes renewed so far, hashes to renew."""


def standings(engine: Engine, pepper: Pepper) -> list[Standing]:
    """How many hashes and sealed values stand under which key, column by column."""
    keys = len(pepper.ring.keys)
    with reading(engine) as conn:
        return [found for holder in store.holders() for found in store.standings(conn, holder, keys)]


def older(engine: Engine, pepper: Pepper) -> list[str]:
    """The columns in which something stands under an older key than the one in use, or in plain where it is sealed."""
    writing = pepper.ring.writing
    with reading(engine) as conn:
        found = [holder.name for holder in store.holders() if store.has_older(conn, holder, writing)]
    return [*found, "identity_record.birth_on (in plain)"] if in_plain(engine) else found


def in_plain(engine: Engine) -> int:
    """How many persons stand in plain, from before there were seals."""
    return count_plain_persons(engine)


def put_in_use(engine: Engine, clock: Clock, path: Path) -> Pepper:
    """Let what is new be written under the last key of the file; gives the keys. Raises KeyFileError.

    The database is told first, so that from then on no process starts without that key.
    """
    found = load_pepper(path)
    require_keys(engine, found)
    last = Pepper(*found.ring.keys)
    with transaction(engine) as conn:
        note_keys(conn, last, clock.now())
    use_last_key(path)
    return load_pepper(path)


def use_of(engine: Engine, pepper: Pepper, key_id: int) -> KeyUse:
    """What a key of the file is needed for; reads all there is. Raises NotFoundError."""
    ring = pepper.ring
    if not 1 <= key_id <= len(ring.keys):
        raise NotFoundError(f"no key {key_id} in the key file")
    with reading(engine) as conn:
        is_noted = key_id in known_keys(conn)
        history = store.history(conn, len(ring.keys))
    found = [*standings(engine, pepper), *history]
    resting = {one.column: count for one in found if (count := one.resting_on(key_id))}
    return KeyUse(key_id, resting, is_in_use=is_noted or key_id != ring.standby)


def retire(engine: Engine, clock: Clock, path: Path, key_id: int, *, by: str, reason: str) -> KeyUse:
    """Take a key that nothing needs out of the key file, and keep that; nothing is done where something needs it.

    That is the one on standby: every value is made of all keys up to its own. Raises KeyFileError, NotFoundError.
    """
    pepper = load_pepper(path)
    require_keys(engine, pepper)
    use = use_of(engine, pepper, key_id)
    if use.refusal is None:
        with transaction(engine) as conn:
            note_retired(conn, Retired(key_id, pepper.fingerprint(key_id), clock.now(), by, reason))
        drop_standby(path)
    return use


def rotate(engine: Engine, pepper: Pepper, watch: Watch | None = None, *, batch_rows: int = BATCH_ROWS) -> Rotated:
    """Bring every hash and sealed value under the key in use; seal what stands in plain from before there were seals.

    What is there already stays. Can be run again, and beside running calls.

    A row is left when somebody else kept it locked all the time, or when the same secret stands under the newest key
    already. Raises KeyFileError for what no key of the file can have written.
    """
    require_keys(engine, pepper)
    key_id = pepper.ring.writing
    renewed = left = 0
    while sealed := seal_persons(engine, pepper, batch_rows):
        renewed += sealed
        _rest()
    for holder in store.holders():
        done, kept = _renew_column(engine, pepper, holder, key_id, watch or _nobody, batch_rows)
        renewed, left = renewed + done, left + kept
    return Rotated(key_id, renewed, left)


def _renew_column(
    engine: Engine, pepper: Pepper, holder: Holder, key_id: int, watch: Watch, batch_rows: int
) -> tuple[int, int]:
    with reading(engine) as conn:
        if not store.has_older(conn, holder, key_id):
            return 0, 0
        for found in store.standings(conn, holder, len(pepper.ring.keys)):
            if 0 in found.by_key:
                raise KeyFileError(f"{found.column} has {found.by_key[0]} under a key that the key file does not have")
        total, done = store.count_older(conn, holder, key_id), 0
    for _ in range(PASSES):
        for batch in _batches(engine, pepper, holder, key_id, batch_rows):
            done += batch.renewed
            watch(holder.name, done, total)
        with reading(engine) as conn:
            if not store.has_older(conn, holder, key_id):
                return done, 0
        _rest()
    with reading(engine) as conn:
        return done, store.count_older(conn, holder, key_id)


def _batches(engine: Engine, pepper: Pepper, holder: Holder, key_id: int, batch_rows: int) -> Iterable[Batch]:
    """One pass over the column; each batch a transaction of its own, with a moment for others between."""
    resealed = partial(_resealed, pepper)
    after_id: int | None = 0
    rows = batch_rows
    careful_until: int | None = None
    while after_id is not None:
        try:
            with transaction(engine) as conn:
                batch = store.renew(
                    conn, holder, pepper.renewed, resealed, key_id=key_id, after_id=after_id, limit=rows
                )
        except IntegrityError:
            if rows > 1:
                rows, careful_until = 1, batch_rows
                continue
            with reading(engine) as conn:  # this very row stays as it is
                batch = Batch(0, 1, store.next_older(conn, holder, key_id, after_id))
        yield batch
        after_id = batch.last_id
        if careful_until is not None:
            careful_until -= 1
            if careful_until == 0:
                rows, careful_until = batch_rows, None
        if after_id is not None:
            _rest()


def _resealed(pepper: Pepper, before: Place, after: Place, stored: str) -> str:
    return seal(pepper, after, open_sealed(pepper, before, stored))


def _rest() -> None:
    """Others who wait to write come first."""
    threading.Event().wait(_REST_S)


def _nobody(column: str, done: int, total: int) -> None:
    del column, done, total
