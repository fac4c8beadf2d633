"""Graph to graph: reverse and forward derivatives, and the expansion of the nodes that ask for them."""
