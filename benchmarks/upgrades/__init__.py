"""Ways to keep heads alive over a new primary, compared on real images."""
