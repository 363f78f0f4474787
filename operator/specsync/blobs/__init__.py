"""Content that is too large for a resource: stored by digest, compressed, checked when read."""
