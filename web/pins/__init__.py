"""PINs by HTTP, for outside allocation systems."""
