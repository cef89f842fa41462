"""The configuration of the switch, rendered from the settings, and the check that a running switch fits it."""
