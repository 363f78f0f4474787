"""The kinds of channels, one file each. `contract.py` says what a channel is, `registry.py` which there are."""
