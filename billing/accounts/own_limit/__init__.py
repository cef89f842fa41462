"""How far an account may go below zero, and whether it is billed by the period."""
