"""What an account has before money: its bundles of included units, and what it used in the month."""
