"""The demonstration: a gateway, a telephone network around it, and a call to look at."""
