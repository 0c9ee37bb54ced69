"""Whether the service is alive, able to answer, and how it is doing."""
