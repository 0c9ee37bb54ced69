"""Shared by all parts of plura: settings, databases, Kafka, authentication, observability."""
