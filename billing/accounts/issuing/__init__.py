"""New PINs of accounts, and those that were not yet read out to their owner."""
