"""The part for Django REST Framework. Only this package imports ``rest_framework``."""
