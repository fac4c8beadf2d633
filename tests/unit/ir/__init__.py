"""Tests of `unigrad.ir`."""
