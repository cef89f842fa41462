"""The record of each call: live, explained, and as a CDR."""
