"""Lethe's unlearning engine: usable alone, without Django or a database."""
