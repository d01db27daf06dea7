"""The tests of the page about the admin. They run as the tests of its project."""

from django.contrib.auth.models import User
from django.test import TestCase

from drf_tessera import sessions


class Admin(TestCase):
    def test_the_page_of_a_user_has_the_sessions(self):
        anna = User.objects.create_superuser("anna")
        grant = sessions.start(anna)
        self.client.force_login(anna)
        page = self.client.get(f"/admin/auth/user/{anna.pk}/change/")
        self.assertContains(page, f"/admin/tessera/session/{grant.session_id}/end/")
        self.assertContains(page, f"/admin/tessera/session/end-of/{anna.pk}/")
