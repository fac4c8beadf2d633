"""What tests of unigrad, of its backends and of code written with it need."""
