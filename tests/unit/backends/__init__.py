"""Backends, each by itself: its table of rows and its runtime."""
