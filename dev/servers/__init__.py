"""Servers on loopback for tests and benchmarks: Kafka, older versions of PostgreSQL, an identity provider."""
