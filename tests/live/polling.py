"""Where waiting was first; it is the lab's now."""

from dialplan.lab.polling import wait_for

__all__ = ["wait_for"]
