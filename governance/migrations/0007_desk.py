"""The legal desk: notes, conflicts of interest, holds, saved filters, codes of exceptions, and the queue's indexes."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import governance.models.vault
from governance.errors import KeyDestroyed
from governance.tokens import email_mark


def fill(apps, schema_editor):
    """Marks of the addresses that can still be read, and who signed the proposals that wait."""
    if schema_editor.connection.alias != "default":
        return
    for claimant in apps.get_model("governance", "Claimant").objects.filter(email_mark="").iterator():
        try:
            mark = email_mark(claimant.email)
        except KeyDestroyed:
            continue
        type(claimant).objects.filter(pk=claimant.pk).update(email_mark=mark)
    Case, Decision = apps.get_model("governance", "Case"), apps.get_model("governance", "Decision")
    for case in Case.objects.filter(status="decision").iterator():
        proposal = Decision.objects.filter(match__case=case, approved_at=None).order_by("-proposed_at").first()
        if proposal and not case.matches.filter(decision=None).exists():
            Case.objects.filter(pk=case.pk).update(proposed_by=proposal.proposed_by)


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0006_kinds_and_relations'),
    ]

    operations = [
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.UUIDField()),
                ('reason', governance.models.vault.SealedText()),
                ('placed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lift_reason', governance.models.vault.SealedText(default=b'')),
                ('lift_asked_at', models.DateTimeField(null=True)),
                ('lifted_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Interest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.UUIDField()),
                ('what', governance.models.vault.SealedText()),
                ('declared_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.UUIDField()),
                ('text', governance.models.vault.SealedText()),
                ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('struck_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-written_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='SavedFilter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('query', models.CharField(max_length=500)),
                ('shared', models.BooleanField(default=False)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.RemoveIndex(
            model_name='case',
            name='case_open_due',
        ),
        migrations.AddField(
            model_name='case',
            name='held_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='case',
            name='proposed_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='claimant',
            name='email_mark',
            field=models.CharField(blank=True, db_index=True, max_length=32),
        ),
        migrations.AddField(
            model_name='decision',
            name='exception',
            field=models.CharField(blank=True, max_length=24),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed'), _negated=True), fields=['due_on', 'id', 'status', 'law', 'kind', 'officer', 'paused_on', 'extended_on', 'proposed_by', 'received_on'], name='case_open_by_due'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed'), _negated=True), fields=['received_on', 'id', 'status', 'law', 'kind', 'officer', 'paused_on', 'extended_on', 'proposed_by', 'due_on'], name='case_open_by_receipt'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed'), _negated=True), fields=['changed_at', 'id', 'status', 'law', 'kind', 'officer', 'paused_on', 'extended_on', 'proposed_by'], name='case_open_by_move'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed')), fields=['due_on', 'id', 'law', 'kind', 'officer'], name='case_closed_by_due'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed')), fields=['received_on', 'id', 'law', 'kind'], name='case_closed_by_receipt'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('status', 'closed'), _negated=True), fields=['officer', 'due_on', 'id'], name='case_open_of_officer'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(models.Q(('status', 'closed'), _negated=True), ('paused_on__isnull', False)), fields=['due_on', 'id'], name='case_open_paused'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(models.Q(('status', 'closed'), _negated=True), ('extended_on__isnull', False)), fields=['due_on', 'id'], name='case_open_extended'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('held_at__isnull', False)), fields=['due_on', 'id'], name='case_open_held'),
        ),
        migrations.AddField(
            model_name='hold',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='governance.case'),
        ),
        migrations.AddField(
            model_name='hold',
            name='lift_asked_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='hold',
            name='lifted_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='hold',
            name='placed_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='interest',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='interests', to='governance.case'),
        ),
        migrations.AddField(
            model_name='interest',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='note',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='note',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='governance.case'),
        ),
        migrations.AddField(
            model_name='note',
            name='struck_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='savedfilter',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_filters', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at', None)), fields=('case',), name='hold_one_open'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('lifted_by', None), models.Q(('lift_asked_by__isnull', False), models.Q(('lifted_by', models.F('lift_asked_by')), _negated=True)), _connector='OR'), name='hold_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='interest',
            constraint=models.UniqueConstraint(fields=('case', 'person'), name='interest_once'),
        ),
        migrations.AddConstraint(
            model_name='savedfilter',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='filter_name_once'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
