"""Submissions: heads offered to the hub, checked at the door and queued."""
