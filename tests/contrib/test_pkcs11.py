"""A key that never leaves its device: SoftHSM of Debian. Without SoftHSM the tests are skipped loudly."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PyKCS11
import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test.utils import override_settings

from drf_tessera import sessions
from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.keys import Key
from drf_tessera.keys import find_book
from drf_tessera.tokens import keystore, verify_access_token
from tests.servers import require

pytestmark = [pytest.mark.once, pytest.mark.slow]  # the device is the same everywhere, and RSA takes a second

PIN = "1234"
_EC_ALGORITHMS = {
    "Ed25519": "06032b6570",
    "ES256": "06082a8648ce3d030107",
    "ES384": "06052b81040022",
    "ES512": "06052b81040023",
}


class Device:
    """A token of SoftHSM in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        from drf_tessera.contrib.pkcs11 import Pkcs11Signer

        (util,) = require("softhsm2-util")
        found = [*Path("/usr/lib").glob("**/libsofthsm2.so")]
        self.library = str(found[0])
        command = [util, "--init-token", "--free", "--label", "drf-tessera", "--pin", PIN, "--so-pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        self._signer = Pkcs11Signer
        self.lib: Any = PyKCS11.PyKCS11Lib()
        self.lib.load(self.library)
        slots = self.lib.getSlotList(tokenPresent=True)
        slot = next(s for s in slots if self.lib.getTokenInfo(s).label.strip() == "drf-tessera")
        flags = PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION
        self.session: Any = self.lib.openSession(slot, flags)
        self.session.login(PIN)

    def make(self, alg: str) -> None:
        """Generate a key pair in the token, whose private part cannot be taken out."""
        p = PyKCS11
        kind = p.CKK_RSA if alg.startswith("RS") else p.CKK_EC_EDWARDS if alg == "Ed25519" else p.CKK_ECDSA
        both = [(p.CKA_KEY_TYPE, kind), (p.CKA_TOKEN, True), (p.CKA_LABEL, alg), (p.CKA_ID, (1,))]
        public = [(p.CKA_CLASS, p.CKO_PUBLIC_KEY), (p.CKA_VERIFY, True), *both]
        private = [
            *((p.CKA_CLASS, p.CKO_PRIVATE_KEY), (p.CKA_SIGN, True), (p.CKA_SENSITIVE, True)),
            *((p.CKA_PRIVATE, True), (p.CKA_EXTRACTABLE, False), *both),
        ]
        if alg.startswith("RS"):
            public += [(p.CKA_MODULUS_BITS, 2048), (p.CKA_PUBLIC_EXPONENT, (1, 0, 1))]
            mechanism = p.CKM_RSA_PKCS_KEY_PAIR_GEN
        else:
            public.append((p.CKA_EC_PARAMS, bytes.fromhex(_EC_ALGORITHMS[alg])))
            mechanism = p.CKM_EC_EDWARDS_KEY_PAIR_GEN if alg == "Ed25519" else p.CKM_EC_KEY_PAIR_GEN
        self.session.generateKeyPair(public, private, mecha=p.Mechanism(mechanism, None))

    def sign_with(self, name: str, **other: Any) -> Any:
        """Return a signer for the key of an algorithm."""
        values = {"library": self.library, "token": "drf-tessera", "label": name, "pin": PIN, "alg": name}
        return self._signer(**{**values, **other})


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        found = Device(folder)
        for alg in ("Ed25519", "ES256", "ES384", "ES512", "RS256"):
            found.make(alg)
        yield found


@pytest.mark.parametrize("alg", ["Ed25519", "ES256", "ES384", "ES512", "RS256"])
def test_a_signature_of_the_device_verifies_with_its_public_jwk(device: Device, alg: str) -> None:
    key = Key.from_signer(device.sign_with(alg))
    assert (key.alg, key.kid, key.can_sign) == (alg, key.thumbprint, True)
    assert key.verify(b"message", key.sign(b"message"))
    assert not key.verify(b"another", key.sign(b"message"))


@pytest.mark.django_db
def test_a_login_is_signed_by_the_device(device: Device, anna: AbstractBaseUser) -> None:
    with override_settings(TESSERA={"KEYS": [{"signer": lambda: device.sign_with("Ed25519")}]}):
        keystore._get_holder.forget()
        find_book.forget()
        token = verify_access_token(sessions.start(anna).access)
        assert token.kid == Key.from_signer(device.sign_with("Ed25519")).kid


def test_a_session_that_was_closed_is_opened_again(device: Device) -> None:
    signer = device.sign_with("ES256")
    signer._open[0].closeSession()
    with pytest.raises(PyKCS11.PyKCS11Error):
        signer.sign(b"message")
    assert Key.from_jwk(signer.public_jwk).verify(b"message", signer.sign(b"message"))


def test_a_missing_part_is_named(device: Device) -> None:
    with pytest.raises(KeyMaterialError, match="HS256"):
        device.sign_with("ES256", alg="HS256")
    with pytest.raises(KeyMaterialError, match="0 tokens"):
        device.sign_with("ES256", token="another")
    with pytest.raises(KeyMaterialError, match="0 keys"):
        device.sign_with("ES256", label="another")


def test_a_wrong_pin_is_not_hidden(tmp_path: Path, device: Device) -> None:
    device.session.logout()
    try:
        with pytest.raises(PyKCS11.PyKCS11Error, match="PIN"):
            device.sign_with("ES256", pin="9999")
    finally:
        device.session.login(PIN)
