"""Python jobs of the lake: loading, generating, validating, retention, and the functions behind the Python models."""
