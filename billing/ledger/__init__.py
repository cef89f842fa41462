"""Double entry: transfers and postings, appended and never edited."""
