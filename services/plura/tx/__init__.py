"""The transaction lookup service: any transaction by its id, seconds after it happened."""
