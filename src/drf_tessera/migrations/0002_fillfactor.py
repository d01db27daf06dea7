from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import StateApps


def reserve_space(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # A refresh then finds space for its new version of the row on the same page (docs/explanation/performance.md).
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('ALTER TABLE tessera_session SET (fillfactor = 85)')


class Migration(migrations.Migration):

    dependencies: list[tuple[str, str]] = [
        ('tessera', '0001_initial'),
    ]

    operations: list[Operation] = [
        migrations.RunPython(reserve_space, migrations.RunPython.noop),
    ]
