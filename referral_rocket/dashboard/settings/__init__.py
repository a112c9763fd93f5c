"""The Settings section: the organization, its people, one's own account, and what happened."""
