"""Price tables: versions, rates, their import and the test of a number."""
