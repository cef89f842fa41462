"""Access codes: which account is meant on a line that several share."""
