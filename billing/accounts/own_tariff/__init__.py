"""The tariff that an account has in place of the one of the service."""
