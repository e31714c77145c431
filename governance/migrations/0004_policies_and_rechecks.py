"""Policies under four eyes, kept for ever; earlier cases checked again on later versions."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0003_exact_deletion'),
    ]

    operations = [
        migrations.AlterField(
            model_name='case',
            name='channel',
            field=models.CharField(choices=[('form', 'Public form'), ('api', 'Interface'), ('post', 'Post'), ('phone', 'Telephone'), ('house', 'Opened by the house')], max_length=8),
        ),
        migrations.CreateModel(
            name='Recheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('held', 'Still forgotten'), ('inconclusive', 'Not decided'), ('regressed', 'Came back'), ('impossible', 'Cannot be checked')], default='waiting', max_length=12)),
                ('verdict', models.CharField(blank=True, max_length=12)),
                ('document', models.JSONField(default=dict)),
                ('artifact', models.CharField(blank=True, max_length=71)),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('child', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='regressions', to='governance.case')),
                ('job', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recheck', to='governance.job')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rechecks', to='governance.plan')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rechecks', to='governance.modelversion')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['state', 'id'], name='recheck_state')],
                'constraints': [models.UniqueConstraint(fields=('plan', 'version'), name='recheck_once'), models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'running', 'held', 'inconclusive', 'regressed', 'impossible'])), name='recheck_state_known')],
            },
        ),
        migrations.CreateModel(
            name='VerificationPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(unique=True)),
                ('name', models.CharField(max_length=40)),
                ('policy', models.JSONField()),
                ('before', models.JSONField()),
                ('digest', models.CharField(max_length=71, unique=True)),
                ('reason', models.TextField()),
                ('proposed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('approved_at', models.DateTimeField(null=True)),
                ('returned_at', models.DateTimeField(null=True)),
                ('returned_reason', models.TextField(blank=True)),
                ('approved_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('returned_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['version'],
                'constraints': [models.CheckConstraint(condition=models.Q(('approved_by__isnull', True), models.Q(('approved_by', models.F('proposed_by')), _negated=True), _connector='OR'), name='policy_four_eyes'), models.CheckConstraint(condition=models.Q(models.Q(('approved_at__isnull', True), ('approved_by__isnull', True)), models.Q(('approved_at__isnull', False), ('approved_by__isnull', False), ('returned_at__isnull', True)), _connector='OR'), name='policy_answered_once'), models.UniqueConstraint(condition=models.Q(('approved_at__isnull', True), ('returned_at__isnull', True)), fields=('name',), name='policy_one_open')],
            },
        ),
    ]
