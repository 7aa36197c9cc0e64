"""The hub: publishes the primary, evaluates and catalogues heads, signs bundles."""
