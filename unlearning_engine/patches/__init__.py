"""Standard unlearning patches: what unlearning changed in a model, as a small file that goes both ways, bit for bit.

The format, for others to implement, is docs/patches.md; why it is so, docs/adr/0010-unlearning-patches.md.
"""
