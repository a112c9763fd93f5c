"""Razorpay's stand-in."""
