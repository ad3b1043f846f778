"""Runs as a series: what has become worse for good, told once, and when it is over."""
