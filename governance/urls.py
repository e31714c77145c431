"""Every address of the site, in blocks: for everybody, the interface, sign-in, staff."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path, re_path

from governance.api import urls as api
from governance.models import Kind
from governance.web import (
    administration,
    auditor,
    batch_progress,
    bulk,
    case_import,
    case_letter,
    casework,
    claimant,
    claimant_files,
    executive,
    filing,
    letter_pages,
    operations,
    organisation,
    outbox_pages,
    own_account,
    replay,
    thresholds,
    tracking,
    trust_pages,
    verify,
    webhook_pages,
    well_known,
)
from governance.web import desk as desk_pages
from governance.web.accounts import desk
from governance.web.case_actions import ACTIONS
from governance.web.duty_urls import staff as duties
from governance.web.steps import FLOWS

public: list[URLPattern | URLResolver] = [
    path("", claimant.home, name="home"),
    path("opt-out/", filing.start(Kind.COPYRIGHT), name="opt_out"),
    *(path(f"{kind}/", filing.start(kind), name=kind) for kind in FLOWS if kind is not Kind.COPYRIGHT),
    path("draft/<slug:token>/", filing.resume, name="draft"),
    path("draft/<slug:token>/save/", filing.save, name="draft_save"),
    path("draft/<slug:token>/discard/", filing.discard, name="draft_discard"),
    path("draft/<slug:token>/<slug:name>/", filing.step, name="draft_step"),
    path("receipt/", claimant.receipt, name="receipt"),
    path("confirm/<slug:token>/", claimant.confirm, name="confirm"),
    path("status/<slug:token>/", claimant.status, name="status"),
    path("status/<slug:token>/resend/", claimant.resend, name="resend"),
    path("status/<slug:token>/withdraw/", claimant.withdraw, name="withdraw"),
    path("status/<slug:token>/follow/<slug:relation>/", claimant.follow, name="follow"),
    path("status/<slug:token>/report.pdf", claimant.report_pdf, name="status_report"),
    path("status/<slug:token>/bundle.zip", claimant.report_bundle, name="status_bundle"),
    path("status/<slug:token>/evidence.json", claimant.report_evidence, name="status_evidence"),
    path("status/<slug:token>/files/", claimant_files.files, name="status_files"),
    path("status/<slug:token>/files/<uuid:public_id>/delete/", claimant_files.file_delete, name="status_file_delete"),
    path("status/<slug:token>/recipients.csv", claimant.recipients_csv, name="status_recipients"),
    path("organisation/logo.png", organisation.logo, name="logo"),
    path("verify/", verify.verify, name="verify"),
    path("batches/<slug:token>/<uuid:public_id>/", batch_progress.progress, name="batch_progress"),
]

#: Only what staff need: no registration, no change of address by oneself.
accounts: list[URLPattern | URLResolver] = [
    path("desk/", desk, name="desk"),
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/signup/", account.signup, name="account_signup"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/password/change/", account.password_change, name="account_change_password"),
    path("accounts/password/reset/", account.password_reset, name="account_reset_password"),
    path("accounts/password/reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^accounts/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/sessions/", include("allauth.usersessions.urls")),
    path("accounts/own/", own_account.page, name="own_account"),
    path("accounts/own/data.json", own_account.data, name="own_data"),
]

staff: list[URLPattern | URLResolver] = [
    path("cases/", casework.cases, name="cases"),
    path("cases/new/", casework.case_new, name="case_new"),
    path("cases/import/", case_import.page, name="cases_import"),
    path("cases/find/", desk_pages.find, name="cases_find"),
    path("cases/workload/", desk_pages.workload, name="cases_workload"),
    path("cases/filters/", desk_pages.filter_keep, name="filter_keep"),
    path("cases/filters/remove/", desk_pages.filter_remove, name="filter_remove"),
    *(path(f"cases/all/{name}/", bulk.bulk(name), name=f"cases_{name}") for name in bulk.BULK),
    path("cases/<uuid:public_id>/", casework.case, name="case"),
    path("cases/<uuid:public_id>/file/", casework.case_print, name="case_print"),
    path("cases/<uuid:public_id>/verification/", casework.verification, name="verification"),
    path("cases/<uuid:public_id>/reveal/", casework.reveal, name="case_reveal"),
    *(path(f"cases/<uuid:public_id>/{name}/", casework.act(name), name=f"case_{name}") for name in ACTIONS),
    path("cases/<uuid:public_id>/letter/", case_letter.case_letter, name="case_letter"),
    path("cases/<uuid:public_id>/letter/preview/", case_letter.case_letter_preview, name="case_letter_preview"),
    path("messages/", outbox_pages.outbox, name="outbox"),
    path("messages/letters/", letter_pages.letters, name="letters"),
    path("messages/letters/<slug:name>/<slug:language>/", letter_pages.letter, name="letter"),
    path("messages/letters/<slug:name>/<slug:language>/review/", letter_pages.letter_review, name="letter_review"),
    path("messages/webhooks/", webhook_pages.webhooks, name="webhooks"),
    path("messages/webhooks/new/", webhook_pages.webhook_new, name="webhook_new"),
    path("messages/webhooks/<uuid:public_id>/", webhook_pages.webhook, name="webhook"),
    *(
        path(
            f"messages/webhooks/<uuid:public_id>/{step}/",
            getattr(webhook_pages, f"webhook_{step}"),
            name=f"webhook_{step}",
        )
        for step in ("ping", "rotate", "stop", "resume", "remove")
    ),
    path("messages/<uuid:public_id>/", outbox_pages.message, name="message"),
    path("messages/<uuid:public_id>/again/", outbox_pages.message_again, name="message_again"),
    path("messages/<uuid:public_id>/returned/", outbox_pages.message_returned, name="message_returned"),
    path("models/", operations.models, name="models"),
    path("models/register/", operations.models_register, name="models_register"),
    path("models/<uuid:public_id>/", operations.model, name="model"),
    path("models/<uuid:public_id>/<int:revision>/", operations.version, name="version"),
    path("models/<uuid:public_id>/<int:revision>/cost.csv", operations.version_cost, name="version_cost"),
    path("models/<uuid:public_id>/place/", operations.model_place, name="model_place"),
    path("models/<uuid:public_id>/recipient/", operations.model_recipient, name="model_recipient"),
    path("datasets/", operations.datasets, name="datasets"),
    path("datasets/register/", operations.datasets_register, name="datasets_register"),
    path("datasets/<uuid:public_id>/", operations.dataset, name="dataset"),
    path("policies/", thresholds.policies, name="policies"),
    path("policies/propose/", thresholds.propose, name="policy_propose"),
    path("policies/<int:version>/approve/", thresholds.approve, name="policy_approve"),
    path("policies/<int:version>/return/", thresholds.give_back, name="policy_return"),
    path("jobs/", operations.jobs, name="jobs"),
    path("jobs/compare/", operations.jobs_compare, name="jobs_compare"),
    path("jobs/<uuid:job_id>/", operations.job, name="job"),
    path("jobs/<uuid:job_id>/log/", operations.job_log, name="job_log"),
    path("jobs/<uuid:job_id>/cancel/", operations.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job_id>/retry/", operations.job_retry, name="job_retry"),
    path("dashboard/", executive.dashboard, name="dashboard"),
    path("dashboard/recount/", executive.recount, name="figures_recount"),
    path("dashboard/cases/<slug:code>/", executive.figure_cases, name="figure_cases"),
    path("dashboard/<slug:name>.csv", executive.figures_csv, name="figures_csv"),
    path("reports/", auditor.reports, name="reports"),
    path("reports/<slug:number>.pdf", auditor.report, name="report"),
    path("reports/<slug:number>.zip", auditor.report_bundle, name="report_bundle"),
    path("reports/<slug:number>/replay/", replay.page, name="replay"),
    path("reports/<slug:number>/replay/make/", replay.make, name="replay_make"),
    path("reports/replay/<uuid:public_id>.zip.age", replay.fetch, name="replay_fetch"),
    path("reports/<slug:number>.json", auditor.report_evidence, name="report_evidence"),
    path("ledger/", auditor.ledger, name="ledger"),
    path("ledger/<int:index>/", auditor.ledger_entry, name="ledger_entry"),
    path("set-up/", organisation.page, name="set_up"),
    path("set-up/organisation/", organisation.propose, name="organisation"),
    path("set-up/organisation/<int:pk>/approve/", organisation.approve, name="organisation_approve"),
    path("set-up/organisation/<int:pk>/return/", organisation.give_back, name="organisation_return"),
    path("people/", administration.people, name="people"),
    path("people/new/", administration.person_new, name="person_new"),
    path("people/<int:pk>/", administration.person, name="person"),
    path("people/<int:pk>/invite/", administration.person_invite, name="person_invite"),
    path("people/<int:pk>/role/", administration.person_role, name="person_role"),
    path("people/<int:pk>/role/approve/", administration.person_role_approve, name="person_role_approve"),
    path("people/<int:pk>/role/return/", administration.person_role_return, name="person_role_return"),
    path("people/<int:pk>/role/remove/", administration.person_role_remove, name="person_role_remove"),
    path("people/<int:pk>/close/", administration.person_deactivate, name="person_deactivate"),
    path("people/<int:pk>/activate/", administration.person_activate, name="person_activate"),
    path("people/<int:pk>/second-factor/", administration.person_second_factor, name="person_second_factor"),
    *duties,
]

#: Where a mail provider tells what became of letters; nothing without one.
mail: list[URLPattern | URLResolver] = [path("mail/", include((tracking.patterns(), "mail")))]

urlpatterns = [*public, *well_known.patterns, *trust_pages.patterns, *api.patterns, *accounts, *mail, *staff]
