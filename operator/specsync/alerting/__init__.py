"""Alerts: who is told of what (routing), in which words (message), and by which way (channels)."""
