"""The names of this server in tokens and documents: its issuer, its audiences and its resource.

With ``TENANT`` a name may contain ``{tenant}``. The name of the present tenant replaces it, so each tenant
has an address of its own. The name is percent-encoded, so two tenants never have one address, and the name of
a tenant never becomes another host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from drf_tessera.conf.issuers import is_safe_address
from drf_tessera.conf.settings import Settings, current_tenant, per_tenant
from drf_tessera.conf.values import DEFAULT_AUDIENCE, TENANT_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The names of this server for one tenant."""

    issuer: str | None
    """``ISSUER`` of the tenant. ``None`` stands for the id of the installation."""
    address: str | None
    """The issuer, if it is the address of its metadata (RFC 8414)."""
    audience: tuple[str, ...]
    """``AUDIENCE`` of the tenant. If each audience needs a tenant, a request without one has the default."""
    resource: str | None
    """``RESOURCE`` of the tenant."""


@per_tenant
def get_identity(settings: Settings) -> Identity:
    """Return the names of this server for the present tenant.

    Raises:
        SettingsError: see :func:`~drf_tessera.conf.get_settings`.
        ProjectError: ``TENANT`` did not return a name.
    """
    tenant = current_tenant()
    written = settings.issuer
    issuer = _fill(written, tenant)
    is_own = written is not None and (not tenant or TENANT_MARK in written)
    return Identity(
        # A name without a place for the tenant is followed by the tenant, because each tenant is an issuer.
        issuer=issuer if is_own or issuer is None else f"{issuer}:{tenant}",
        address=issuer if is_own and is_safe_address(issuer) and not urlsplit(str(issuer)).query else None,
        audience=name_audiences(settings.audience) or DEFAULT_AUDIENCE,
        resource=_fill(settings.resource, tenant),
    )


def name_audiences(written: Iterable[str]) -> tuple[str, ...]:
    """Return the audiences of the present tenant. Those that need a tenant are left out if there is none."""
    tenant = current_tenant()
    return tuple(name for text in written if (name := _fill(text, tenant)) is not None)


def _fill(text: str | None, tenant: str) -> str | None:
    """Return a text with the name of the tenant. Without a tenant there is no such text."""
    if text is None or TENANT_MARK not in text:
        return text
    return text.replace(TENANT_MARK, quote(tenant, safe="")) if tenant else None
