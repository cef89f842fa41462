"""What a tariff may say and what use costs under it: increments, windows, steps, tiers, bundles, fees, rounding."""
