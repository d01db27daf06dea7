from uuid import UUID

from django.db import migrations


def fill_jti_hex(apps, schema_editor):
    rows = apps.get_model("token_blacklist", "OutstandingToken").objects.using(schema_editor.connection.alias)
    for row in rows.iterator():
        rows.filter(pk=row.pk).update(jti_hex=row.jti.hex)


def fill_jti(apps, schema_editor):
    rows = apps.get_model("token_blacklist", "OutstandingToken").objects.using(schema_editor.connection.alias)
    for row in rows.iterator():
        rows.filter(pk=row.pk).update(jti=UUID(hex=row.jti_hex))


class Migration(migrations.Migration):
    dependencies = [("token_blacklist", "0002_outstandingtoken_jti_hex")]
    operations = [
        migrations.RunPython(fill_jti_hex, fill_jti),
    ]
