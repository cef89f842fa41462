"""Use-cases of API keys: hand one out, revoke one, and know whose key was presented."""

import secrets

from sqlalchemy.engine import Engine

from billing.apikeys import store
from billing.apikeys.apikey import ApiKey, Scope, hash_of, read_key, write_key
from billing.operators import store as operator_store
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError


def create(
    engine: Engine,
    clock: Clock,
    operator_code: str,
    name: str,
    by: str,
    scopes: frozenset[Scope] = frozenset({Scope.CHARGING}),
) -> tuple[ApiKey, str]:
    """A new key of an operator, and its text, which nobody can ever see again. Raises NotFoundError."""
    secret = secrets.token_hex(32)
    with transaction(engine) as conn:
        found = operator_store.operator_named(conn, operator_code)
        if found is None:
            raise NotFoundError(f"there is no operator {operator_code}")
        made = ApiKey(secrets.token_hex(8), found.id, found.code, name[:80], clock.now(), by[:80], None, scopes)
        store.add(conn, made, hash_of(secret))
    return made, write_key(made.id, secret)


def revoke(engine: Engine, clock: Clock, key_id: str, by: str, note: str) -> None:
    """Revoke a key for good. Raises NotFoundError when there is none that is valid."""
    with transaction(engine) as conn:
        if not store.revoke(conn, key_id, clock.now(), by[:80], note[:400]):
            raise NotFoundError(f"there is no valid key {key_id}")


def list_keys(engine: Engine) -> list[ApiKey]:
    """Every key, never with its secret."""
    with reading(engine) as conn:
        return store.list_keys(conn)


def key_of(engine: Engine, presented: str) -> ApiKey | None:
    """The valid key that was presented; unknown, wrong and revoked are the same answer."""
    shown = read_key(presented)
    if shown is None:
        return None
    with reading(engine) as conn:
        found = store.find(conn, shown.id)
    if found is None or not shown.fits(found[1]) or not found[0].is_valid:
        return None
    return found[0]
