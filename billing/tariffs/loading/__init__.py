"""Loading tariff files of any length, so that calls never wait and an interrupted load goes on where it was."""
