"""Uploads: content-addressed, resumable, streamed."""
