"""Who sells: operators, their service profiles and the toll numbers that reach them."""
