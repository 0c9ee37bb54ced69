"""The command line `plura`."""
