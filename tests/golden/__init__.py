"""Inputs and the source that is emitted for them."""
