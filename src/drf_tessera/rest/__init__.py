"""The Django REST Framework side, and the only home of ``rest_framework``."""
