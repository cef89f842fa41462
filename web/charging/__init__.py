"""The charging API, version 1."""
