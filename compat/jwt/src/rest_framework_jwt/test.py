"""Not here, and why: each name says what to take instead."""

from typing import TYPE_CHECKING

from drf_tessera.legacy import refuse_names

if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
