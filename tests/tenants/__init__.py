"""Projects with several tenants, and the rules that hold for each of them.

``python -m tests.tenants KIND`` checks every rule in a process of its own, and prints what does not hold. The
kinds are the ways in which projects keep tenants apart:

- ``column``: one database, and a column that names the tenant
- ``databases``: a database for each tenant, and a router
- ``schemas``: a schema for each tenant of one PostgreSQL, with the real django-tenants
"""
