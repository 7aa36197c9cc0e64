"""Upgrades: candidate primaries measured, promoted and taken back, and what becomes of the heads."""
