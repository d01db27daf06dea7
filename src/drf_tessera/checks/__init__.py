"""System checks for ``manage.py check``. ``docs/reference/checks.md`` lists every id.

- stores: databases and caches
- tenants: the tenants of one process
- users: the user model and the backends
- issuers: other issuers
- middleware: the order of middleware
- keys: the keys of this server
- endpoints: endpoints that a project adds to its urls by itself
- projects: settings and urls, and the registration of all checks
"""
