"""The print file: one row a card, encrypted as a whole for who prints it, as age does (age-encryption.org/v1)."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyrage

from billing.cards.batch import Batch
from billing.money import format_amount
from runtime.faults import StaffError

COLUMNS = ("serial", "pin", "class", "face_value", "currency", "valid_until", "valid_days")


def recipients_of(keys: Sequence[str]) -> list[Any]:
    """The public keys for which a file is encrypted: `age1...` or `ssh-ed25519 ...`; raises StaffError."""
    if not keys:
        raise StaffError(
            "no recipient: who prints the cards makes a pair of keys (`age-keygen`), and you need the public one"
        )
    found: list[Any] = []
    for key in keys:
        kind = pyrage.ssh.Recipient if key.startswith("ssh-") else pyrage.x25519.Recipient
        try:
            found.append(kind.from_str(key.strip()))
        except pyrage.RecipientError:
            raise StaffError("recipient: a public key of age (age1...) or ssh (ssh-ed25519 ...)") from None
    return found


def sealed(batch: Batch, cards: Iterable[tuple[str, str]], recipients: Sequence[Any]) -> bytes:
    """The print file of these cards (serial number and PIN), which only the recipients can read."""
    plain = io.StringIO(newline="")
    writer = csv.writer(plain)
    writer.writerow(COLUMNS)
    kind = batch.card_class
    until = "" if kind.valid_until_at is None else kind.valid_until_at.isoformat()
    face = format_amount(kind.face_micros, "").strip()
    for serial, digits in cards:
        writer.writerow((serial, digits, kind.name, face, batch.currency, until, kind.valid_days or ""))
    made: bytes = pyrage.encrypt(plain.getvalue().encode(), list(recipients))
    return made


def write_new(path: Path, content: bytes) -> None:
    """Write a file that was not there, readable by its owner alone, and see it on the disk; raises StaffError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StaffError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
