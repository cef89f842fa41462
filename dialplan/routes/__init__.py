"""Which trunk carries which destination."""
