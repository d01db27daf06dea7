"""Names of drf-jwt that do not exist here. The error of each name explains why."""

from typing import TYPE_CHECKING

from drf_tessera.legacy import refuse_names

if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
