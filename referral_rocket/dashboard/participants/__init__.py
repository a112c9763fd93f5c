"""The Participants section: the list, adding and exporting, and a participant's page with what can be done there."""
