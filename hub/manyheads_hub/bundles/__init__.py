"""Bundles: the primary, the accepted heads and their calibration, as one snapshot."""
