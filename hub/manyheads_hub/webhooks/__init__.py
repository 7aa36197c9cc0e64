"""Webhooks: signed messages to whoever subscribed, written with the change they tell of."""
