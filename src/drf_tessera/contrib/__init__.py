"""Integrations of other packages, one file for each.

- spectacular: the schema of the endpoints for drf-spectacular
"""
