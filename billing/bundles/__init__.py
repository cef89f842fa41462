"""Bundles as staff handle them: what an operator offers, and what accounts were given."""
