"""The management commands, ``manage.py tessera_...``."""
