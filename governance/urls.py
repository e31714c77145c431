"""Every address of the site, in blocks: for everybody, the interface, sign-in, staff."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path

from governance.web.accounts import desk

public: list[URLPattern | URLResolver] = []

api: list[URLPattern | URLResolver] = []

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
