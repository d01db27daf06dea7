from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):

    dependencies: list[tuple[str, str]] = [
        ('tessera', '0005_wide_notices'),
    ]

    operations: list[Operation] = [
        migrations.RemoveField(
            model_name='session',
            name='user_agent',
        ),
        migrations.AddField(
            model_name='session',
            name='device',
            field=models.CharField(blank=True, default='', help_text='A name from the user agent: "Firefox on Windows".', max_length=64),
            preserve_default=False,
        ),
    ]
