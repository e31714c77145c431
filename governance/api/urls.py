"""Addresses of the interface, version 1."""

from django.urls import URLPattern, URLResolver, path, re_path
from drf_spectacular.views import SpectacularAPIView

from governance.api import batch_views, patch_views, proof_views, views

patterns: list[URLPattern | URLResolver] = [
    path("api/v1/work/", views.Challenge.as_view(), name="api_work"),
    path("api/v1/requests/", views.Filing.as_view(), name="api_filing"),
    path("api/v1/requests/<slug:token>/", views.Standing.as_view(), name="api_status"),
    path("api/v1/requests/<slug:token>/works/", views.Works.as_view(), name="api_works"),
    path("api/v1/requests/<slug:token>/sharing/", views.Sharing.as_view(), name="api_sharing"),
    path("api/v1/requests/<slug:token>/files/", views.Files.as_view(), name="api_files"),
    path("api/v1/requests/<slug:token>/files/<uuid:public_id>/", views.OneFile.as_view(), name="api_file"),
    path("api/v1/requests/<slug:token>/proof/", proof_views.Proof.as_view(), name="api_proof"),
    path("api/v1/requests/<slug:token>/proof/challenges/", proof_views.Challenges.as_view(), name="api_challenges"),
    path(
        "api/v1/requests/<slug:token>/proof/challenges/<uuid:public_id>/",
        proof_views.OneChallenge.as_view(),
        name="api_challenge",
    ),
    path(
        "api/v1/requests/<slug:token>/proof/challenges/<uuid:public_id>/check/",
        proof_views.CheckChallenge.as_view(),
        name="api_challenge_check",
    ),
    path("api/v1/mandates/", batch_views.Mandates.as_view(), name="api_mandates"),
    path("api/v1/batches/", batch_views.Batches.as_view(), name="api_batches"),
    path("api/v1/batches/<uuid:public_id>/", batch_views.OneBatch.as_view(), name="api_batch"),
    path("api/v1/batches/<uuid:public_id>/close/", batch_views.CloseBatch.as_view(), name="api_batch_close"),
    path("api/v1/batches/<uuid:public_id>/link/", batch_views.BatchLink.as_view(), name="api_batch_link"),
    path("api/v1/batches/<uuid:public_id>/parts/<int:number>/", batch_views.Part.as_view(), name="api_batch_part"),
    path("api/v1/batches/<uuid:public_id>/results/", batch_views.Results.as_view(), name="api_batch_results"),
    path("api/v1/patches/acknowledgements/", patch_views.Acknowledgements.as_view(), name="api_acknowledgements"),
    path("api/schema/", SpectacularAPIView.as_view(authentication_classes=[]), name="api_schema"),
    # Whatever stands behind it, line breaks too: programs are never answered with a page.
    re_path(r"^api/(?P<path>(?s:.*))$", views.unknown),
]
