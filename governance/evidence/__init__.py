"""Evidence: ledger hashes and proofs, the evidence document, its sentences, the PDF, its seal and its check.

Pure functions and classes: no database, no network (save a time stamp authority where one is configured).
"""
