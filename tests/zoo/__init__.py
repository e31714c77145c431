"""The zoo: honest models and cheats, many of each, before the verdict. `make zoo` runs it."""
