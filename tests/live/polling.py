"""Where waiting was first; it is the lab's now."""

from dialplan.lab.polling import wait_for as wait_for
