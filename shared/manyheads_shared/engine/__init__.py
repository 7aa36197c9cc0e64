"""The many-head engine: the detector and every head on one batch of trunk features, as fast as the machine allows."""
