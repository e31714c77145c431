"""Probes: `measure` turns models and items into rows of scores (torch), the families turn rows into estimates.

One file per family; a family reads the table of scores only, so that whoever holds `scores.jsonl` gets the same
numbers without a model.
"""
