"""The audit log: every change of state, one line each, chained by digest."""
