"""The keys by which other services may charge the accounts of one operator."""
