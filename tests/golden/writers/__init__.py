"""What wrote the golden files, format by format. Each function is run once; `tests.golden.write` runs it by name."""
