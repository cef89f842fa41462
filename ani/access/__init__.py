"""Who looked at whose personal data."""
