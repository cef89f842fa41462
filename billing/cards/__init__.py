"""Prepaid cards: batches of one class, the cards and what became of each."""
