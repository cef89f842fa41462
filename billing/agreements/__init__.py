"""Terms of service: what a caller is asked to agree to, and that he did."""
