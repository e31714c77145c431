"""The whole house as people use it: real processes, a real browser."""
