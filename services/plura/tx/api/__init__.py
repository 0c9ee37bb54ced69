"""The admin API: look up a transaction, an order or a wallet, and leave a trace of having looked."""
