"""What an account pays for from each of its lines, and what becomes of the calls it does not pay for."""
