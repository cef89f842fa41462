"""Keyed hashes: the only form in which a secret that is never shown again (PIN, access code, SSN digits) is stored.

The key file holds a key a line, the oldest first; the id of a key is its line. What is stored says under which it is:
under key 1 as 64 hexadecimal digits, under a later one as `id:` and 43 characters of base64 (RFC 4648, section 5).
A hash under key n is HMAC-SHA-256 by key n of the hash under key n-1, so what is stored comes under a newer key without
anybody knowing the secret, and so every older key stays needed.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.faults import StaffError

PEPPER_BYTES = 32
STANDBY = "standby"
"""Stands behind the last key of the file while nothing is written under it yet."""
_CHAIN, _FINGERPRINT = b"\x00chain\x1f", b"\x00fingerprint"


class KeyFileError(StaffError):
    """The file that holds the keys cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys, the oldest first; what is new is written under key `writing`, any key may be found in the database."""

    keys: tuple[bytes, ...]
    writing: int

    def __post_init__(self) -> None:
        for number, key in enumerate(self.keys, 1):
            if len(key) < PEPPER_BYTES:
                raise KeyFileError(f"key {number} has {len(key)} bytes; {PEPPER_BYTES} are needed")
        if len(set(self.keys)) != len(self.keys):
            raise KeyFileError("a key stands twice in the file")
        if not 1 <= self.writing <= len(self.keys):
            raise KeyFileError("no key is in use: the first one cannot be on standby")

    def follows(self, before: "KeyRing") -> bool:
        """True when every key that before had in use is where it was; one on standby may have been taken away."""
        return self.keys[: before.writing] == before.keys[: before.writing]

    @property
    def standby(self) -> int | None:
        """The key nothing is written under yet."""
        return len(self.keys) if self.writing < len(self.keys) else None


class Pepper:
    """The secret keys of this installation; hashes without them are worth nothing to a thief.

    They live outside the database. Each kind of secret is hashed under its own name, so that the same digits used as a
    PIN and as an access code do not give the same hash. A pepper that was loaded from a file reads it again when it
    has changed, so a key that is added is known to every process of the machine before anything is written under it.
    """

    __slots__ = ("_file", "_ring")

    def __init__(self, *keys: bytes, writing: int | None = None, file: "_WatchedFile | None" = None) -> None:
        self._ring = KeyRing(keys, len(keys) if writing is None else writing)
        self._file = file

    def __repr__(self) -> str:
        return "Pepper(***)"

    @property
    def ring(self) -> KeyRing:
        """The keys as they are now."""
        if self._file is not None:
            self._ring = self._file.ring(self._ring)
        return self._ring

    def digest(self, kind: str, *parts: str) -> str:
        """The keyed hash of the parts under `kind`, by the key in use: what is written."""
        ring = self.ring
        found = hmac.digest(ring.keys[0], _message(kind, parts), "sha256")
        if ring.writing == 1:
            return found.hex()
        return _stored(ring.writing, _raised(found, ring.keys[1 : ring.writing]))

    def digests(self, kind: str, *parts: str) -> tuple[str, ...]:
        """The keyed hash by each key, the oldest first: what may stand in the database.

        A row only ever goes to a newer key, so who looks for one after the other in this order passes none by.
        """
        keys = self.ring.keys
        found = hmac.digest(keys[0], _message(kind, parts), "sha256")
        if len(keys) == 1:
            return (found.hex(),)
        hashes = [_stored(1, found)]
        for number, key in enumerate(keys[1:], 2):
            found = _raised(found, (key,))
            hashes.append(_stored(number, found))
        return tuple(hashes)

    def is_digest(self, stored: str | None, kind: str, *parts: str) -> bool:
        """Whether that stands in the database for these parts, under whichever key."""
        found = self.digests(kind, *parts)
        return stored is not None and any(hmac.compare_digest(stored, one) for one in found)

    def renewed(self, stored: str) -> str:
        """The same hash under the key in use; one that stands under a newer key stays. Raises KeyFileError."""
        ring = self.ring
        return _brought_to(stored, ring.keys, ring.writing)

    def newest(self, stored: str) -> str:
        """The same hash under the last key there is: so two of them can be compared, whatever they stand under."""
        keys = self.ring.keys
        return _brought_to(stored, keys, len(keys))

    def first_digest(self, kind: str, *parts: str) -> str:
        """The hash by key 1, for what was drawn from it and has to come out the same again."""
        return hmac.digest(self.ring.keys[0], _message(kind, parts), "sha256").hex()

    def fingerprint(self, number: int) -> str:
        """By what the database knows a key again; says nothing about it."""
        return hmac.digest(self.ring.keys[number - 1], _FINGERPRINT, "sha256").hex()[:32]


def key_of(stored: str) -> int:
    """The id of the key that something in the database stands under; 0 when it is nothing of ours."""
    number, colon, _ = stored.partition(":")
    if not colon:
        return 1 if len(stored) == 64 else 0
    return int(number) if number.isascii() and number.isdigit() else 0


def load_pepper(path: Path) -> Pepper:
    """Read the keys; raises KeyFileError when they are missing, short, or readable by everybody."""
    file = _WatchedFile(path)
    ring = read_keys(path)
    return Pepper(*ring.keys, writing=ring.writing, file=file)


def read_keys(path: Path) -> KeyRing:
    """The keys of the file as it is now; raises as `load_pepper` does."""
    try:
        mode = path.stat().st_mode
        lines = path.read_bytes().decode("ascii").splitlines()
    except FileNotFoundError as error:
        raise KeyFileError(f"{path}: no key file; `tollgate db upgrade` makes one") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        lines = ["not ASCII"]
    if mode & 0o007:
        raise KeyFileError(f"{path}: others may read this key; run chmod 600 on it")
    lines = [line.strip() for line in lines if line.strip()]
    writing = len(lines)
    if lines and lines[-1].endswith(STANDBY):
        lines[-1], writing = lines[-1].removesuffix(STANDBY).strip(), writing - 1
    try:
        return KeyRing(tuple(bytes.fromhex(line) for line in lines), writing)
    except ValueError as error:
        raise KeyFileError(f"{path}: not a key made by `tollgate db upgrade` (hexadecimal digits)") from error
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from error


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


def add_key(path: Path) -> int:
    """Put a new key on standby behind the others; gives its id. Raises KeyFileError when one is on standby already."""
    ring = read_keys(path)
    if ring.writing != len(ring.keys):
        raise KeyFileError(f"{path}: key {len(ring.keys)} is on standby already: `tollgate key rotate` puts it in use")
    _replace(path, (*ring.keys, secrets.token_bytes(PEPPER_BYTES)), ring.writing)
    return len(ring.keys) + 1


def use_last_key(path: Path) -> None:
    """Let what is new be written under the last key of the file."""
    ring = read_keys(path)
    if ring.writing != len(ring.keys):
        _replace(path, ring.keys, len(ring.keys))


def drop_standby(path: Path) -> None:
    """Take the key on standby out of the file again."""
    ring = read_keys(path)
    if ring.standby is not None:
        _replace(path, ring.keys[: ring.writing], ring.writing)


def _replace(path: Path, keys: Sequence[bytes], writing: int) -> None:
    """Write the whole file anew and put it in its place at once, with the owner and rights it had."""
    lines = [key.hex() + ("" if number <= writing else f" {STANDBY}") for number, key in enumerate(keys, 1)]
    try:
        before = path.stat()
        file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(file, "w", encoding="ascii") as stream:
                stream.write("".join(f"{line}\n" for line in lines))
                stream.flush()
                os.fsync(stream.fileno())
            os.chown(name, before.st_uid, before.st_gid)
            Path(name).chmod(before.st_mode & 0o770)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


class _WatchedFile:
    """Knows when the key file has changed; asking costs a few microseconds."""

    __slots__ = ("_path", "_seen")

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._seen = self._stamp()

    def ring(self, before: KeyRing) -> KeyRing:
        """The keys now; those of before while the file is not there, not whole, or of other keys."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return before
        try:
            found = read_keys(Path(self._path))
        except KeyFileError:
            return before
        self._seen = stamp
        return found if found.follows(before) else before

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # three times as quick as by way of Path, and asked in every call
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def _message(kind: str, parts: tuple[str, ...]) -> bytes:
    return "\x1f".join((kind, *parts)).encode()


def _raised(found: bytes, keys: Sequence[bytes]) -> bytes:
    for key in keys:
        found = hmac.digest(key, _CHAIN + found, "sha256")
    return found


def _stored(number: int, found: bytes) -> str:
    if number == 1:
        return found.hex()
    return f"{number}:{base64.urlsafe_b64encode(found).rstrip(b'=').decode()}"


def _brought_to(stored: str, keys: tuple[bytes, ...], wanted: int) -> str:
    number = key_of(stored)
    if not 1 <= number <= len(keys):
        raise KeyFileError(f"the database has something under key {number}, which is not in the key file")
    if number >= wanted:
        return stored
    try:
        text = stored.partition(":")[2]
        found = bytes.fromhex(stored) if number == 1 else base64.b64decode(text + "=", altchars="-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise KeyFileError("the database has something that is no keyed hash") from error
    if len(found) != hashlib.sha256().digest_size:
        raise KeyFileError("the database has something that is no keyed hash")
    return _stored(wanted, _raised(found, keys[number:wanted]))
