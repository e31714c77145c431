"""Reads. Each asks the policy first, so that whoever holds a row was allowed to: to fetch is to authorise."""
