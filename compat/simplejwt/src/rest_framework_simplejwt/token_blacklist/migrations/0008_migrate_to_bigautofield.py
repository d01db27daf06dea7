from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_blacklist", "0007_auto_20171017_2214")]
    operations = [
        migrations.AlterField("BlacklistedToken", "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        migrations.AlterField("OutstandingToken", "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
    ]
