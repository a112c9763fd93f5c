"""The Webhooks section: where the organization takes our events, and how that goes."""
