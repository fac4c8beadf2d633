"""How fast unigrad is, told as ratios to what a person would write by hand."""
