"""Keyed hashes: the only form in which a secret (PIN, access code, SSN digits) is ever stored."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from runtime.faults import StaffError

PEPPER_BYTES = 32


class KeyFileError(StaffError):
    """The file that holds the key cannot be used; the message says what to do."""


class Pepper:
    """The secret key of this installation; hashes without it are worth nothing to a thief.

    The key lives outside the database. Each kind of secret is hashed under its own name, so that the same digits
    used as a PIN and as an access code do not give the same hash.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < PEPPER_BYTES:
            raise KeyFileError(f"the key has {len(key)} bytes; {PEPPER_BYTES} are needed")
        self._key = key

    def __repr__(self) -> str:
        return "Pepper(***)"

    def digest(self, kind: str, *parts: str) -> str:
        """HMAC-SHA-256 of the parts under `kind`, as 64 hexadecimal digits."""
        message = "\x1f".join((kind, *parts)).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def load_pepper(path: Path) -> Pepper:
    """Read the key; raises KeyFileError when it is missing, short, or readable by everybody."""
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise KeyFileError(f"{path}: no key file; `tollgate db upgrade` makes one") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if mode & 0o007:
        raise KeyFileError(f"{path}: others may read this key; run chmod 600 on it")
    try:
        return Pepper(bytes.fromhex(key.decode("ascii").strip()))
    except ValueError as error:
        raise KeyFileError(f"{path}: not a key made by `tollgate db upgrade` (hexadecimal digits)") from error


def make_pepper(path: Path) -> bool:
    """Make the key file, readable by its owner alone, unless there is one; true if it was made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(secrets.token_bytes(PEPPER_BYTES).hex() + "\n")
    return True
