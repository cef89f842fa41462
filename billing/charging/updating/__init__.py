"""Updates of charging sessions, many in one transaction."""
