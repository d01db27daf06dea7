"""The tests of the page about tenants. They run as the tests of its project."""

import time

from django.conf import settings
from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from joserfc import jwt
from joserfc.jwk import ECKey
from rest_framework.exceptions import AuthenticationFailed
from shop.providers import PROVIDERS

from drf_tessera import JWTAuthentication
from drf_tessera.conf import enter_tenant

HOSTS = {"acme": "acme.example.com", "other": "other.example.com"}


@override_settings(ALLOWED_HOSTS=["*"])
class Tenants(TestCase):
    def test_each_tenant_has_documents(self):
        for name, host in HOSTS.items():
            for path in ("oauth-authorization-server", "oauth-protected-resource/api"):
                answer = self.client.get(f"/.well-known/{path}", headers={"host": host})
                assert f"https://{name}.example.com" in answer.content.decode(), answer.content

    def test_a_host_in_capitals_is_the_same_tenant_and_another_host_is_nobody(self):
        path = "/.well-known/oauth-authorization-server"
        found = self.client.get(path, headers={"host": "ACME.example.com"}).json()
        assert found["issuer"] == "https://acme.example.com"
        assert self.client.get(path, headers={"host": "nobody.example.com"}).status_code == 404
        assert self.client.post("/api/token/", {}, headers={"host": "nobody.example.com"}).status_code == 404

    def test_a_provider_is_kept_to_its_tenant(self):
        user = User.objects.create_user("anna")
        keys = {name: ECKey.generate_key() for name in PROVIDERS}
        own = {address: keys[name].as_dict(private=False) for name, address in PROVIDERS.items()}
        entries = [
            {**entry, "keys": [{"jwk": own[entry["issuer"]], "alg": "ES256"}]}
            for entry in settings.TESSERA["ISSUERS"]
        ]
        with override_settings(TESSERA={**settings.TESSERA, "ISSUERS": entries}):
            for signer in PROVIDERS:
                for place, host in HOSTS.items():
                    token = self.sign(PROVIDERS[signer], keys[signer])
                    if place == signer:
                        assert self.find(token, host) == user
                        continue
                    with self.assertRaisesMessage(AuthenticationFailed, "does not exist"):
                        self.find(token, host)
            with self.assertRaisesMessage(AuthenticationFailed, "signature"):
                self.find(self.sign(PROVIDERS["acme"], keys["other"]), HOSTS["acme"])

    def sign(self, issuer, key):
        now = int(time.time())
        claims = {"iss": issuer, "sub": "anna", "aud": "shop", "iat": now, "exp": now + 60}
        return jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, key, algorithms=["ES256"])

    def find(self, token, host):
        request = self.client.get(
            "/", headers={"host": host, "authorization": f"Bearer {token}"}
        ).wsgi_request
        enter_tenant(request)
        return JWTAuthentication().authenticate(request)[0]
