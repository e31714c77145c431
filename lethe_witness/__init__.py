"""A witness of transparency logs: sees that a ledger only grows, and signs that it saw.

For a party outside of the issuer. It knows nothing of Lethe: any log that speaks C2SP tlog-witness may be watched.
`python -m lethe_witness --help`.
"""
