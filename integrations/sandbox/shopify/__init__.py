"""Shopify's stand-in: a shop's Admin API as far as the product uses it."""
