"""simplejwt's tables, read and not written."""
