"""The catalogue: accepted heads and their figures."""
