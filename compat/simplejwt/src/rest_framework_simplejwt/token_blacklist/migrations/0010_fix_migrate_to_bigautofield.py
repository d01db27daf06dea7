from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_blacklist", "0008_migrate_to_bigautofield")]
    operations = [
        migrations.AlterField("BlacklistedToken", "id", models.BigAutoField(primary_key=True, serialize=False)),
        migrations.AlterField("OutstandingToken", "id", models.BigAutoField(primary_key=True, serialize=False)),
    ]
