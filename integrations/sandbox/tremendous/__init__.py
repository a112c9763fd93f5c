"""Tremendous's stand-in: an account with a balance, campaigns and products, as far as the product uses them."""
