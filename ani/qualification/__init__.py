"""Is the caller old enough: identity records, and the evidence kept of a proof."""
