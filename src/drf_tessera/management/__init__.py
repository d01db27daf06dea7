"""Django's home of commands.

- commands.tessera_prune: delete the sessions that ended long ago
- commands.tessera_migrate_check: the changes for a project that moves to drf-tessera
"""
