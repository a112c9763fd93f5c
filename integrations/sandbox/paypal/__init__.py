"""PayPal's stand-in: tokens, payouts in batches, their items, and signed webhooks."""
