from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_jwt import authentication, views


class WhoAmI(APIView):
    authentication_classes = (authentication.JSONWebTokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"pk": request.user.pk, "name": request.user.get_username()})

    post = get


urlpatterns = [
    path("auth/", views.obtain_jwt_token),
    path("refresh/", views.refresh_jwt_token),
    path("verify/", views.verify_jwt_token),
    path("me/", WhoAmI.as_view()),
]
