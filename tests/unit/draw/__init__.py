"""Tests of `unigrad.draw`."""
