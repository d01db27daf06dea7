from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_blacklist", "0006_auto_20171017_2113")]
    operations = [
        migrations.AlterField("OutstandingToken", "created_at", models.DateTimeField(blank=True, null=True)),
        migrations.AlterField(
            "OutstandingToken",
            "user",
            models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, blank=True, null=True),
        ),
    ]
