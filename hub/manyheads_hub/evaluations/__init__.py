"""What a submitted head is measured on, what of, and when it is good enough."""
