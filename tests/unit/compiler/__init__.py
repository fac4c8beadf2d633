"""Tests of the definitions of ops."""
