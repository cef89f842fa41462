"""Lines that callers themselves let open their account."""
