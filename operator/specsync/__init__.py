"""specsync: a Kubernetes operator that watches the API contracts a team depends on."""
