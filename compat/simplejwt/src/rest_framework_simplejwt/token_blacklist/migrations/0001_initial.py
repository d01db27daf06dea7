from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            "BlacklistedToken",
            fields=[("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")), ("blacklisted_at", models.DateTimeField(auto_now_add=True))],
        ),
        migrations.CreateModel(
            "OutstandingToken",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("jti", models.UUIDField(unique=True)),
                ("token", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("user", models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)),
            ],
            options={"ordering": ("user",)},
        ),
        migrations.AddField(
            "BlacklistedToken", "token", models.OneToOneField("token_blacklist.OutstandingToken", models.CASCADE)
        ),
    ]
