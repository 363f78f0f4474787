"""Guarded HTTP: judges where a request may go, limits what may come back, and says clearly what went wrong.

``guard`` decides on URLs and addresses and opens every connection, ``client`` fetches one document over it.
Nothing here knows of Kubernetes.
"""
