"""Graph to graph: reverse and forward derivatives, and expansion of the nodes that ask for them."""
