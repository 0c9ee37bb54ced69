"""plura: controls, lookup and operations events of a payment platform."""
