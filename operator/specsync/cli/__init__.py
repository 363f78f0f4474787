"""The command line: `specsync`, also usable as `kubectl specsync`."""
