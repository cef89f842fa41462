"""Calling plans: what is sold to a customer for a fee each period, and the periods themselves."""
