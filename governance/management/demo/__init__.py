"""The demonstration: an organisation, its accounts, one case worked before the user's eyes, others in other states."""
