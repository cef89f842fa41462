"""Moments as staff type them."""

from datetime import UTC, datetime

from runtime.command import CommandError, ExitCode


def moment_of(option: str, text: str) -> datetime:
    """A moment as it was typed, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"{option}: not a moment such as 2027-01-01T00:00Z", ExitCode.USAGE) from None
