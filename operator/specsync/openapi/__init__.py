"""Reading API contracts: load, lift Swagger 2.0, canonical form. Pure: no I/O, and nothing of Kubernetes."""
