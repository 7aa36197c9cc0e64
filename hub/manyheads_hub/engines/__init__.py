"""The two databases a hub runs on."""
