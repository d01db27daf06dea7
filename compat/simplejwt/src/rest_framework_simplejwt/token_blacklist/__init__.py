"""The tables of simplejwt. Each login writes one row."""
