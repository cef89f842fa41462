"""Whose line is this, and may it be billed."""
