"""The ways to outside companies, one module each."""
