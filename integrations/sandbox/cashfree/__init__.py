"""Cashfree's stand-in."""
