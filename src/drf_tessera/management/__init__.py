"""Django's home of commands.

- languages: commands whose texts have the language of the settings
- places: the tenant or the database on which a command acts
- commands.tessera_prune: delete the sessions that ended long ago
- commands.tessera_installation: the id of this installation, and another one for a copy
- commands.tessera_revoke: end one session, those of a user, or those of everybody
- commands.tessera_inspect: the reasons to accept or to refuse a token
- commands.tessera_keys: the keys that sign access tokens
- commands.tessera_setup: the settings and urls that fit a project
- commands.tessera_migrate_check: the changes for a project that moves to drf-tessera
"""
