"""The Overview: what is due, what came of the last days, and what waits for a person."""
