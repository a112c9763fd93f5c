"""Stripe's stand-in: customers, their credit balance, checkouts and signed webhooks."""
