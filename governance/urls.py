"""Every address of the site, in blocks: for everybody, the interface, sign-in, staff."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from governance.api import views
from governance.web import claimant, verify
from governance.web.accounts import desk

public: list[URLPattern | URLResolver] = [
    path("", claimant.home, name="home"),
    path("opt-out/", claimant.opt_out, name="opt_out"),
    path("privacy/", claimant.privacy, name="privacy"),
    path("receipt/", claimant.receipt, name="receipt"),
    path("confirm/<slug:token>/", claimant.confirm, name="confirm"),
    path("status/<slug:token>/", claimant.status, name="status"),
    path("status/<slug:token>/resend/", claimant.resend, name="resend"),
    path("status/<slug:token>/withdraw/", claimant.withdraw, name="withdraw"),
    path("status/<slug:token>/report.pdf", claimant.report_pdf, name="status_report"),
    path("status/<slug:token>/evidence.json", claimant.report_evidence, name="status_evidence"),
    path("verify/", verify.verify, name="verify"),
]

api: list[URLPattern | URLResolver] = [
    path("api/v1/requests/", views.Filing.as_view(), name="api_filing"),
    path("api/v1/requests/<slug:token>/", views.Standing.as_view(), name="api_status"),
    path("api/schema/", SpectacularAPIView.as_view(authentication_classes=[]), name="api_schema"),
    path("api/<path:path>", views.unknown),
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
    path("accounts/2fa/", include("allauth.mfa.urls")),
]

staff: list[URLPattern | URLResolver] = []

urlpatterns = [*public, *api, *accounts, *staff]
