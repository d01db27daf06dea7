"""System checks for ``manage.py check``. ``docs/reference/checks.md`` lists every id.

- stores: databases and caches
- tenants: the tenants of one process
- users: the user model and the backends
- projects: settings and urls, and the registration of all checks
"""
