"""Streaming messages of Kafka topics into Bronze on Delta Lake, each message exactly once."""

from python_jobs.stream.feeds import Feed, default_feeds, read_feeds
from python_jobs.stream.queries import StreamRequest, stream

__all__ = ["Feed", "StreamRequest", "default_feeds", "read_feeds", "stream"]
