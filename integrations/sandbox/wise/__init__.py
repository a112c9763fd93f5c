"""Wise's stand-in: profiles, recipients, quotes, batch groups of transfers, their payment, and signed webhooks."""
