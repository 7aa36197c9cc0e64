"""The hub's keys and the TUF repository they sign."""
