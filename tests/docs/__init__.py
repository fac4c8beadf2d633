"""What the documents say, beside their examples, which run as tests of their own."""
