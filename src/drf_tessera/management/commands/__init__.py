"""The commands: ``manage.py tessera_...``."""
