"""The graph and its types: what all other rooms read and write, knowing no framework and no op."""
