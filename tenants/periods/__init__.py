"""Rewards of months that are over: worked out, looked at, and then posted."""
