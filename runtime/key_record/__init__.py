"""Which keys the database has something under."""
