"""What a PIN opens, and the first use of a card."""
