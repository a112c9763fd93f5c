"""The Developers section: API keys, the log of API calls, and a test organization's clock."""
