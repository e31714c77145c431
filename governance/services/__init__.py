"""Writes, one file per stage, in the order in which a case passes them."""
