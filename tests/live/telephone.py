"""Where the telephone was first; it is the lab's now."""

from dialplan.lab.telephone import Telephone
from tests.live.recording import loudness

__all__ = ["Telephone", "loudness"]
