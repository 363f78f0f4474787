"""A tour of specsync on real input: `make run`, or `python -m tour`.

It starts a control plane (or uses one), installs specsync, starts the operator with its shipped service accounts, and
lets it watch the API server's own OpenAPI documents, which then really change. Each command is shown as a user would
type it, and what it shows is checked.
"""
