"""The contributor kit: audit, train, evaluate, package and submit, on images that never leave the owner's machine."""
