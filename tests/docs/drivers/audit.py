"""The tests of the page about the audit trail. They run as the tests of its project."""

from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import User
from django.test import TransactionTestCase
from django.utils import timezone

from drf_tessera import sessions

BERLIN, TOKYO = sessions.Client(ip="192.0.2.7"), sessions.Client(ip="198.51.100.7")


class Trail(TransactionTestCase):
    def start(self, hours, client):
        now = timezone.now() + timedelta(hours=hours - 48)
        return sessions.start(self.anna, client=client, now=now).session_id

    def test_a_login_that_nobody_could_travel_to_is_ended(self):
        self.anna = User.objects.create_user("anna")
        first, second = self.start(0, BERLIN), self.start(2, TOKYO)
        third = self.start(24, BERLIN)
        live = {row.pk for row in sessions.live_sessions(self.anna.pk)}
        assert live == {first, third}
        lines = Path("audit.log").read_text().splitlines()
        events = [line.split()[3] for line in lines]
        assert events.count("session_started") == 3
        assert events.count("impossible_travel") == 1
        assert f'session_id="{second}"' in lines[events.index("session_revoked")]
