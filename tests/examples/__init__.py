"""The programs of docs/examples, run as a newcomer runs them."""
