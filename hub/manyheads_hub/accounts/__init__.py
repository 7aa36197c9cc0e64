"""Accounts: who may do what, by role, token and session."""
