"""Django settings: one file for every environment; what differs comes from variables (docs/operations.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from governance import environment as env
from governance.secrets import BASE_DIR, home, read_secret

HOME = home()
HOME.mkdir(parents=True, exist_ok=True)

DEBUG = env.flag("LETHE_DEBUG")
SECRET_KEY = read_secret("django.key").hex()
ALLOWED_HOSTS = env.words("LETHE_HOSTS", "127.0.0.1,localhost,[::1]")
BASE_URL = env.text("LETHE_URL", f"http://127.0.0.1:{env.number('PORT', 8000)}").rstrip("/")
SECURE = BASE_URL.startswith("https://")
if not SECURE and not any(host in BASE_URL for host in ("127.0.0.1", "localhost", "[::1]")):
    raise ImproperlyConfigured(f"LETHE_URL={BASE_URL!r}: outside this machine only https:// is served.")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "csp",
    "governance",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "governance.web.languages.LanguageMiddleware",
    "governance.web.reserving.ReservingMiddleware",
    "governance.web.uploads.UploadLimitMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "governance.web.keys.KeysHeldMiddleware",
    "governance.web.refusals.RefusalMiddleware",
]
ROOT_URLCONF = "governance.urls"
WSGI_APPLICATION = "governance.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "governance.web.context.house",
            ],
        },
    }
]
FORM_RENDERER = "governance.forms_renderer.LetheRenderer"

DATABASES = {
    "default": env.database("LETHE_DATABASE_URL", HOME / "lethe.sqlite3"),
    # Per-subject keys, apart from the data that they open, so that no one backup holds both.
    "keyring": env.database("LETHE_KEYRING_URL", HOME / "keyring.sqlite3"),
}
DATABASE_ROUTERS = ["governance.routers.KeyringRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "governance.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = reverse_lazy("desk")
ACCOUNT_ADAPTER = "governance.web.accounts.StaffAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = False
# Whoever asks for a new password learns nothing, and whoever has no account gets no letter.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
# A change of password or of a second factor is told to its owner.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
#: Seconds for which an invitation or a link to a new password works, once: three days.
PASSWORD_RESET_TIMEOUT = 3 * 86400
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Browsers allow passkeys without TLS on this machine alone.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE
MFA_TOTP_ISSUER = "Lethe"
# A code typed in its last second arrives in the next step, and a telephone's clock is not ours (RFC 6238, section 5.2).
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "activate_totp": "governance.web.second_factor.ActivateForm",
    "authenticate": "governance.web.second_factor.AuthenticateForm",
    "reauthenticate": "governance.web.second_factor.ReauthenticateForm",
}
# Accounts are made by an administrator, who vouches for the address.
MFA_ALLOW_UNVERIFIED_EMAIL = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = 8 * 3600
SESSION_SERIALIZER = "governance.web.sessions.SealedSerializer"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_SSL_REDIRECT = SECURE and env.flag("LETHE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("LETHE_BEHIND_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en"
#: Of the pages for everybody; letters have the same (governance.notifications.languages).
LANGUAGES = [("en", "English"), ("de", "German"), ("fr", "French"), ("es", "Spanish"), ("it", "Italian"),
             ("pt", "Portuguese"), ("ar", "Arabic")]  # fmt: skip
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("LETHE_TIME_ZONE", "UTC")
USE_I18N = USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "governance.one_sheet.OneSheetFinder",
]
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": HOME / "files"}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# One request may bring 20 MB in all, refused before it is read (governance.web.uploads); a text file 2 MB.
UPLOAD_LIMIT_BYTES = 20 * 2**20
DATA_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_LIMIT_BYTES + 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20

# Throttles count here: with several web processes name a Redis, else each process counts alone.
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if cache_url := env.text("LETHE_CACHE"):
    CACHES = {
        "default": {
            "BACKEND": "governance.cache.ForgivingRedisCache",
            "LOCATION": cache_url,
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }

EMAIL_BACKENDS = {
    "file": "django.core.mail.backends.filebased.EmailBackend",
    "console": "django.core.mail.backends.console.EmailBackend",
    "smtp": "django.core.mail.backends.smtp.EmailBackend",
    **{name: f"anymail.backends.{name}.EmailBackend" for name in env.MAIL_PROVIDERS},
}
EMAIL_KIND = env.choice("LETHE_EMAIL", tuple(EMAIL_BACKENDS))
EMAIL_BACKEND = EMAIL_BACKENDS[EMAIL_KIND]
#: The mail provider, whose events on delivery and bounce come in at /mail/; empty without one.
MAIL_PROVIDER = EMAIL_KIND if EMAIL_KIND in env.MAIL_PROVIDERS else ""
ANYMAIL = env.mail_provider("LETHE_MAIL_PROVIDER_FILE", MAIL_PROVIDER)
EMAIL_FILE_PATH = HOME / "mail"
EMAIL_HOST = env.text("LETHE_SMTP_HOST", "localhost")
EMAIL_PORT = env.number("LETHE_SMTP_PORT", 587)
EMAIL_HOST_USER = env.text("LETHE_SMTP_USER")
EMAIL_HOST_PASSWORD = env.file_text("LETHE_SMTP_PASSWORD_FILE")
EMAIL_USE_TLS = env.flag("LETHE_SMTP_TLS", default=True)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("LETHE_MAIL_FROM", "Lethe <lethe@localhost>")

#: Private networks into which webhooks may go; by default none.
WEBHOOK_NETWORKS = env.networks("LETHE_WEBHOOK_NETWORKS")

#: The same for what is read: reservations, proofs on a claimant's domain.
OUTBOUND_NETWORKS = env.networks("LETHE_OUTBOUND_NETWORKS")
#: Name servers that are asked for a claimant's TXT record, `address` or `address:port`; all must agree. Empty: the
#: system's.
DNS_SERVERS = [one for one in env.text("LETHE_DNS_SERVERS", "").replace(",", " ").split() if one]

TRUSTED_PROXIES = 1 if env.flag("LETHE_BEHIND_PROXY") else 0
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "filing": env.text("LETHE_FILING_RATE", "20/hour"),
        "filing_plain": env.text("LETHE_FILING_PLAIN_RATE", "10/hour"),
        "status": "120/hour",
        "links": "6/hour",
        "links_address": "3/hour",
        "pages": "240/hour",
        "verify": "60/hour",
        "agents": env.text("LETHE_AGENT_RATE", "1200/min"),
        "feed": "600/hour",
        "uploads": "60/hour",
        "proof": "60/hour",
        "acknowledge": "60/hour",
    },
    # Whom the throttles count: the address that the last trusted proxy saw, never one that a caller claims.
    "NUM_PROXIES": TRUSTED_PROXIES,
    "EXCEPTION_HANDLER": "governance.api.errors.handle",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lethe",
    "DESCRIPTION": "File an opt-out or a privacy request and follow it.",
    "VERSION": "1.2.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "KindEnum": "governance.models.Kind",
        "BatchKindEnum": ["copyright", "safety"],
        "CaseStatusEnum": "governance.models.Status",
        "FileStateEnum": "governance.models.Upload.State",
        "BatchStateEnum": "governance.models.Batch.State",
        "ResultEnum": "governance.models.BatchItem.State",
        "ProofMethodEnum": "governance.models.Challenge.Method",
        "ChallengeStateEnum": "governance.models.Challenge.State",
        "PatchStateEnum": "governance.models.PatchAcknowledgement.State",
    },
}

#: Whose content credentials are called trusted; without a list no signer is.
CREDENTIAL_ANCHORS = env.file_text("LETHE_CREDENTIAL_ANCHORS_FILE")
ORGANISATION = env.text("LETHE_ORGANISATION", "The operator of this installation")
#: Country, and subdivision, whose public holidays count where a law counts by the house's own place: DE-BY.
PLACE = env.text("LETHE_PLACE")
BROKER_URL = env.text("LETHE_BROKER", "filesystem://")
ARTIFACTS_URL = env.text("LETHE_ARTIFACTS", str(HOME / "artifacts"))
#: Only the signing worker is given this folder; a web process has no path to a private key.
SEAL_FOLDER = env.text("LETHE_SEAL_FOLDER")
#: The public half, which every process may read.
#: The verifier for strangers as one file, packed at set-up, with its digest beside it.
VERIFIER = HOME / "verifier" / "lethe-verify.pyz"
SEAL_CERTIFICATE = Path(env.text("LETHE_SEAL_CERTIFICATE", str(HOME / "seal.crt.pem")))
#: The ledger's name in its checkpoints.
LEDGER_ORIGIN = env.text("LETHE_LEDGER_ORIGIN", "lethe.localhost/ledger")
#: The public half of the ledger's key, as strangers are given it.
LEDGER_VERIFIER = Path(env.text("LETHE_LEDGER_VERIFIER", str(HOME / "ledger.vkey")))
#: Whether everybody may read the leaves (commitments, kinds of action, times); the hashes above them are public anyway.
LEDGER_ENTRIES = env.flag("LETHE_LEDGER_ENTRIES", default=True)
#: Public key of the statements about models, beside the certificate.
MODEL_VERIFIER = Path(env.text("LETHE_MODEL_VERIFIER", str(HOME / "models.pub.pem")))
#: Public key of the feeds, which whoever subscribes compares.
FEED_VERIFIER = Path(env.text("LETHE_FEED_VERIFIER", str(HOME / "feeds.pub")))
#: Where the seal's key lies: a file (for development), a token, a key service. PIN and credentials: the signer alone.
SEAL_KIND = env.choice("LETHE_SEAL", ("file", "pkcs11", "kms"))
PKCS11_MODULE = env.text("LETHE_PKCS11_MODULE")
PKCS11_TOKEN = env.text("LETHE_PKCS11_TOKEN")
PKCS11_PIN_FILE = env.text("LETHE_PKCS11_PIN_FILE")
KMS_REGION = env.text("LETHE_KMS_REGION")
KMS_CREDENTIALS_FILE = env.text("LETHE_KMS_CREDENTIALS_FILE")
KMS_ENDPOINT = env.text("LETHE_KMS_ENDPOINT")
#: Where the keys of ledger and feeds lie (Ed25519, which the key service does not offer), and that of model statements.
LEDGER_KEY = env.choice("LETHE_LEDGER_KEY", ("file", "pkcs11"))
FEED_KEY = env.choice("LETHE_FEED_KEY", ("file", "pkcs11"))
MODELS_KEY = env.choice("LETHE_MODELS_KEY", ("file", "pkcs11", "kms"))
for _name, _kind in (("LETHE_SEAL", SEAL_KIND), ("LETHE_LEDGER_KEY", LEDGER_KEY), ("LETHE_MODELS_KEY", MODELS_KEY),
                     ("LETHE_FEED_KEY", FEED_KEY)):  # fmt: skip
    if _kind == "pkcs11" and not (PKCS11_MODULE and PKCS11_TOKEN):
        raise ImproperlyConfigured(f"{_name}=pkcs11 needs LETHE_PKCS11_MODULE and LETHE_PKCS11_TOKEN.")
    if _kind == "kms" and not KMS_REGION:
        raise ImproperlyConfigured(f"{_name}=kms needs LETHE_KMS_REGION.")
#: Who outside of the house signs our checkpoints: verifier key and address, one witness a line, in the file named.
WITNESSES = env.file_text("LETHE_WITNESSES")
#: How many of them a report's bundle waits for.
WITNESS_QUORUM = env.number("LETHE_WITNESS_QUORUM", 0)
TSA_URL = env.text("LETHE_TSA_URL")
#: PEM file with the root certificates under which the authority's answers are trusted.
TSA_ROOTS = env.text("LETHE_TSA_ROOTS")
if TSA_URL and not TSA_ROOTS:
    raise ImproperlyConfigured("LETHE_TSA_URL needs LETHE_TSA_ROOTS: what a time stamp brings along proves nothing.")
#: A job whose worker has not been heard of for this long is published again.
JOB_LEASE_SECONDS = env.number("LETHE_JOB_LEASE", 30)
JOB_MAX_ATTEMPTS = 3
#: A closed case is kept for so many months where no law sets a time, and then ends by two people, or by the schedule.
RETENTION_MONTHS = env.number("LETHE_RETENTION_MONTHS", 36)
RETENTION = env.choice("LETHE_RETENTION", ("people", "schedule"))
#: For the register of processing (GDPR Art. 30).
CONTROLLER_CONTACT = env.text("LETHE_CONTROLLER_CONTACT")
DPO = env.text("LETHE_DPO")
TRANSFERS = env.text("LETHE_TRANSFERS", "None by this installation itself")
#: Zero bits that the browser of whoever files has to find: 16 are 65,000 hashes, about a second of a telephone.
WORK_BITS = env.number("LETHE_WORK_BITS", 16)
if not 0 <= WORK_BITS <= 28:
    raise ImproperlyConfigured(f"LETHE_WORK_BITS={WORK_BITS}: between 0 and 28.")
#: The scanner of uploads: unix:/path or tcp://host:port; without one files are judged by their bytes alone.
CLAMD = env.socket_address("LETHE_CLAMD")
#: Whom to tell of a weakness (security.txt): a mailto: or https: address; without one there is no such file.
SECURITY_CONTACT = env.contact("LETHE_SECURITY_CONTACT")
#: What we reserve in our own pages, and where our policy on mining stands in words.
SITE_TRAINING = env.choice("LETHE_SITE_TRAINING", ("reserved", "allowed"))
TDM_POLICY = env.text("LETHE_TDM_POLICY")
#: Old weights, checkpoints and caches are deleted this many days after their replacement.
DISPOSAL_DAYS = env.number("LETHE_DISPOSAL_DAYS", 30)
#: Where runs are reckoned, as the engine's planner takes it; what nobody has configured is not made up.
PLAN_HARDWARE: dict[str, Any] = {
    "kind": env.choice("LETHE_PLAN_DEVICE", ("cpu", "gpu")),
    "flops": env.fraction("LETHE_PLAN_FLOPS", 0.0),
    "watts": env.fraction("LETHE_PLAN_WATTS", 0.0),
    "rate": env.fraction("LETHE_PLAN_RATE", 0.0),
    "currency": env.text("LETHE_PLAN_CURRENCY"),
}
#: What a kilowatt-hour costs in that currency; 0 where nobody has said, or where the price of the hour holds it.
PRICE_KWH = env.fraction("LETHE_PRICE_KWH", 0.0)
#: The policy of the house for plans. A case keeps the one under which its first plan was made.
PLAN_HOUSE: dict[str, Any] = {
    "minimum": env.choice("LETHE_PLAN_GUARANTEE", ("approximate", "certified", "exact")),
    "methods": env.words("LETHE_PLAN_METHODS"),
    "attempts": env.number("LETHE_PLAN_ATTEMPTS", 2),
    "seconds": env.fraction("LETHE_PLAN_SECONDS", 0.0),
    "money": env.fraction("LETHE_PLAN_MONEY", 0.0),
    "order": env.choice("LETHE_PLAN_ORDER", ("cheapest", "quickest", "surest")),
    "reserve": env.number("LETHE_PLAN_RESERVE_DAYS", 1) * 86400.0,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"mask links": {"()": "governance.logs.MaskLinks"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["mask links"]}},
    "root": {"handlers": ["console"], "level": env.text("LETHE_LOG_LEVEL", "INFO")},
    # A line for each step and each font of a PDF would drown what an operator looks for.
    "loggers": {"pikepdf": {"level": "WARNING"}, "fontTools": {"level": "WARNING"}, "weasyprint": {"level": "ERROR"}},
}
