"""What the tests of the transaction service share: events, and an oracle that knows what becomes of them."""
