"""Probes: `measure` turns models and items into rows of scores (torch), the families turn rows into estimates.

One file per family; a family reads the table of scores only, so that whoever holds `scores.jsonl` gets the same
numbers without a model. The scores of single items stand beside them as pure functions.

The verb `probe` measures without a verdict: `formats` makes tokens, `gather` takes everything token-level from one
pass (`tokenwise`), `inside` what lies in the layers (`hidden`, `representation`, `patching`), `families`, `contrasts`
and `usefulness` make estimates of it (`intervals`). `published` reads TOFU's and MUSE's files; `research` is for many
models.
"""
