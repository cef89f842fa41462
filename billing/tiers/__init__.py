"""Who comes into which credit tier, by score and payment history."""
