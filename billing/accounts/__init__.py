"""Prepaid customers: accounts, their lines, access codes and PINs."""
