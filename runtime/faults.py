"""Faults a person at a terminal can mend: each ends a command in one clear line."""


class StaffError(Exception):
    """What was asked cannot be done; the message says why and, where it can, what to do. Shows no secret."""


class NotFoundError(StaffError):
    """What was named is not there."""


class BusyError(StaffError):
    """It cannot be done now; the same command may succeed later."""


class BadInputError(StaffError):
    """What was typed is not of the kind that is wanted; the same command never succeeds."""
