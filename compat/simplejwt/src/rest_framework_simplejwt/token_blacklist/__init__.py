"""simplejwt's tables, which a login writes a row of."""
