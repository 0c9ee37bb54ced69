"""What tests and benchmarks run the services against: a real Kafka broker, and an identity provider."""
