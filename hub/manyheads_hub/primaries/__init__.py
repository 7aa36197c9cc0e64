"""Primaries: published, frozen, named by digest."""
