"""Settings, clock, ids, database engine and logs: what every room stands on, with no domain word."""
