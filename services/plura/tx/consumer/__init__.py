"""From events to rows: contracts, latest-wins writing, pairing, and the processes that feed them."""
