"""Public ids: UUID version 7 (RFC 9562), sortable by the time of making and not to be guessed."""

import uuid_utils


def new_id() -> str:
    """A new id: 32 lower-case hexadecimal digits, 48 bits of time and 74 random bits."""
    return uuid_utils.uuid7().hex
