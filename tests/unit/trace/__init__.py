"""Tests of `unigrad.trace`."""
