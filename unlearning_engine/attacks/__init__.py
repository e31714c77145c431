"""Attacks: what an adversary with the weights would do to bring the forgotten back. The reference undergoes each."""
