"""Where the telephone was first; it is the lab's now."""

from dialplan.lab.telephone import Telephone as Telephone
from tests.live.recording import loudness as loudness
