"""Listings out of the files of suppliers."""
