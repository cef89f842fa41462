"""The rules of fraud limits, pure."""
