"""API keys, `tollgate_<id>_<secret>`: only a hash of the secret is kept, and a key opens one operator's accounts."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_KEY = re.compile(r"tollgate_([0-9a-f]{16})_([0-9a-f]{64})")


class Scope(StrEnum):
    """What a key may be used for."""

    CHARGING = "charging"
    PINS = "pins"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as staff see it: never its secret."""

    id: str
    operator_id: int
    operator_code: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    scopes: frozenset[Scope] = frozenset({Scope.CHARGING})

    @property
    def is_valid(self) -> bool:
        """True until it is revoked."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class Shown:
    """A key that was presented: its id and the hash of its secret."""

    id: str
    secret_hash: str

    def fits(self, kept_hash: str) -> bool:
        """Whether its secret is the one, told in a time that does not depend on where they differ."""
        return hmac.compare_digest(self.secret_hash, kept_hash)


def read_key(text: str) -> Shown | None:
    """What was presented as a key; none when it is not even one."""
    found = _KEY.fullmatch(text) if text.isascii() else None
    return None if found is None else Shown(found[1], hash_of(found[2]))


def write_key(key_id: str, secret: str) -> str:
    """The key as it is handed out, once."""
    return f"tollgate_{key_id}_{secret}"


def hash_of(secret: str) -> str:
    """SHA-256: a secret of 256 random bits needs no slower one."""
    return hashlib.sha256(secret.encode()).hexdigest()
