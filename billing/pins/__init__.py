"""Ranges that PINs are issued from, and the allocations of outside systems."""
