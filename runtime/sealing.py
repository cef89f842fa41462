"""Values that have to be shown again, and so cannot be hashed: AES-256-GCM, bound to the row they stand in (AGE-5).

A sealed value is text: `id:` of the key and base64 (RFC 4648, section 5) of a nonce of 96 random bits, what is sealed,
and its tag. The key of the cipher is made of the key of that id in the key file. Table, column and row are the
associated data (RFC 5116): a value that somebody moves to another row, or edits, is not opened. A key is good for 2^32
values (NIST SP 800-38D, section 8.3).
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.keys import KeyFileError, Pepper, key_of

NONCE_BYTES, TAG_BYTES = 12, 16
_PURPOSE = b"\x00seal"


class SealedValueError(Exception):
    """A sealed value was edited, moved from another row, or sealed with another key; never says what is in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: table, column, and what makes the row the one it is."""

    table: str
    column: str
    row: tuple[str, ...]

    def named(self, key_id: int) -> bytes:
        """The associated data: no two places have the same."""
        parts = (str(key_id), self.table, self.column, *self.row)
        return b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))


def seal(pepper: Pepper, place: Place, value: str) -> str:
    """The value as it may stand in the database, under the key in use."""
    ring = pepper.ring
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _cipher(ring.keys[ring.writing - 1]).encrypt(nonce, value.encode(), place.named(ring.writing))
    return f"{ring.writing}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def open_sealed(pepper: Pepper, place: Place, stored: str) -> str:
    """The value; raises SealedValueError, or KeyFileError when the key file has not got its key."""
    key_id, keys = key_of(stored), pepper.ring.keys
    if key_id > len(keys):
        raise KeyFileError(
            f"{place.table}.{place.column} has something under key {key_id}, which is not in the key file"
        )
    try:
        raw = base64.b64decode(stored.partition(":")[2], altchars="-_", validate=True)
        if key_id < 1 or len(raw) < NONCE_BYTES + TAG_BYTES:
            raise SealedValueError(f"{place.table}.{place.column}: not a sealed value")
        opened = _cipher(keys[key_id - 1]).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.named(key_id))
    except (InvalidTag, ValueError, binascii.Error):
        raise SealedValueError(f"{place.table}.{place.column}: edited, moved, or of another key") from None
    return opened.decode()


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, _PURPOSE, "sha256"))
