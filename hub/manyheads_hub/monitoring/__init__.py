"""What an operator sees of a running hub: logs, metrics, readiness."""
