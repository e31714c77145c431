"""What the dashboard counts: facts of cases, sums of them, what waits to be counted, who is mailed the figures."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0028_organisation'),
    ]

    operations = [
        migrations.CreateModel(
            name='TallyState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveBigIntegerField(default=0)),
                ('counted_at', models.DateTimeField(null=True)),
                ('recounted_at', models.DateTimeField(null=True)),
                ('differences', models.PositiveIntegerField(null=True)),
                ('asked_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='TallyTouch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('case_id', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='CaseFact',
            fields=[
                ('case_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=16)),
                ('law', models.CharField(max_length=24)),
                ('region', models.CharField(max_length=2)),
                ('status', models.CharField(max_length=16)),
                ('received_on', models.DateField()),
                ('due_on', models.DateField()),
                ('paused', models.BooleanField()),
                ('closed_on', models.DateField(null=True)),
                ('ending', models.CharField(blank=True, max_length=20)),
                ('kept', models.BooleanField(null=True)),
                ('days', models.IntegerField(null=True)),
                ('proved_on', models.DateField(null=True)),
                ('proof_days', models.IntegerField(null=True)),
                ('runs', models.PositiveIntegerField(default=0)),
                ('milliseconds', models.BigIntegerField(default=0)),
                ('milliwatthours', models.BigIntegerField(default=0)),
                ('estimated', models.PositiveIntegerField(default=0)),
                ('unmetered', models.PositiveIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['received_on', 'case_id'], name='fact_received'), models.Index(condition=models.Q(('closed_on', None), _negated=True), fields=['closed_on', 'case_id'], name='fact_closed'), models.Index(condition=models.Q(('closed_on', None)), fields=['due_on', 'case_id'], name='fact_open'), models.Index(condition=models.Q(('proved_on', None), _negated=True), fields=['proved_on', 'case_id'], name='fact_proved')],
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=120, unique=True)),
                ('topic', models.CharField(choices=[('received', 'received: the day'), ('open', 'open: the last lawful day, the stage, 1 where paused'), ('closed', 'closed: the day, how it ended, 1 inside the clock'), ('took', 'closed: the day, the days that it took'), ('proved', 'report signed: the day, the days that it took'), ('runs', 'closed with runs of the engine: the day, what is summed')], max_length=8)),
                ('day', models.DateField()),
                ('kind', models.CharField(max_length=16)),
                ('region', models.CharField(max_length=2)),
                ('law', models.CharField(max_length=24)),
                ('word', models.CharField(max_length=20)),
                ('number', models.IntegerField()),
                ('count', models.BigIntegerField()),
                ('amount', models.BigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['topic', 'day'], name='tally_topic_day')],
            },
        ),
        migrations.CreateModel(
            name='StatementMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('every', models.CharField(choices=[('week', 'every Monday'), ('month', 'on the first of each month')], max_length=5)),
                ('next_on', models.DateField()),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='statement_mail', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('every__in', ['week', 'month'])), name='statement_mail_every_known')],
            },
        ),
    ]
