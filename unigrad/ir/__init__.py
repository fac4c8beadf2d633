"""The graph and its types: what every other room reads and writes, knowing no framework and no op."""
