"""A telephone network on one machine: two Asterisks, the gateway's and one that plays everybody else."""
