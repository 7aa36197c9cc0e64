"""Federated training under attack, on real images: `python -m benchmarks.federation --data ../shared/data/faces64`."""
