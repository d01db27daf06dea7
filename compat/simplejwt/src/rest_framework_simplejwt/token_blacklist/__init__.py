"""simplejwt's app of outstanding and blacklisted tokens."""

from django import VERSION as VERSION
