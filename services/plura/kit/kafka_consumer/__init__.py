"""What consumers of Kafka topics share: assignment, offsets, topics that come and go, how far partitions are stored."""
