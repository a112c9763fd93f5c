"""The Integrations section: what can be connected, what is, and what the providers told us."""
