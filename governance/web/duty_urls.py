"""Addresses of the duties around the weights."""

from django.urls import URLPattern, URLResolver, path

from governance.web import (
    agent_pages,
    containment,
    patches,
    recipients,
    reservation_pages,
    retention,
    upload_pages,
    versions,
)

staff: list[URLPattern | URLResolver] = [
    path("duties/", containment.duties, name="duties"),
    path("duties/lift/", containment.lift, name="containment_lift"),
    path("duties/filter-list/", containment.filter_list_make, name="filter_list_make"),
    path("duties/filter-list/<int:version>.json", containment.filter_list, name="filter_list"),
    path("duties/versions/", versions.versions, name="versions"),
    path("duties/versions/withdraw/", versions.withdraw, name="version_withdraw"),
    path("duties/versions/rollback/", versions.rollback, name="version_rollback"),
    path("duties/versions/place/", versions.place, name="version_place"),
    path("duties/versions/<int:pk>/sign/", versions.sign, name="order_sign"),
    path("duties/versions/<int:pk>/refuse/", versions.refuse, name="order_refuse"),
    path("duties/recipients/", recipients.recipients, name="recipients"),
    path("duties/recipients/answer/", recipients.answer, name="recipient_answer"),
    path("duties/recipients/dataset/", recipients.dataset_recipient, name="dataset_recipient"),
    path("cases/<uuid:public_id>/recipients.csv", recipients.recipients_csv, name="recipients_csv"),
    path("duties/patches/", patches.patches, name="patches"),
    path("duties/patches/make/", patches.make, name="patch_make"),
    path("duties/patches/<int:pk>.zip", patches.fetch_zip, name="patch_zip"),
    path("duties/retention/", retention.retention, name="retention"),
    path("duties/retention/ask/", retention.erasure_ask, name="erasure_ask"),
    path("duties/retention/<int:pk>/approve/", retention.erasure_approve, name="erasure_approve"),
    path("duties/register/", retention.register, name="register_of_processing"),
    path("duties/reservations/", reservation_pages.reservations, name="reservations"),
    path("duties/reservations/check/", reservation_pages.reservation_check, name="reservation_check"),
    path("duties/reservations/<uuid:public_id>/", reservation_pages.reservation, name="reservation"),
    path("duties/reservations/<uuid:public_id>/again/", reservation_pages.reservation_again, name="reservation_again"),
    path("duties/reservations/<uuid:public_id>/watch/", reservation_pages.reservation_watch, name="reservation_watch"),
    path(
        "duties/reservations/<uuid:public_id>/<slug:digest>.bin",
        reservation_pages.reservation_bytes,
        name="reservation_bytes",
    ),
    path("duties/agents/", agent_pages.agents, name="agents"),
    path("duties/agents/new/", agent_pages.agent_new, name="agent_new"),
    path("duties/agents/<uuid:public_id>/", agent_pages.agent, name="agent"),
    path("duties/agents/<uuid:public_id>/mandate/", agent_pages.mandate_new, name="mandate_new"),
    path(
        "duties/agents/<uuid:public_id>/mandate/<uuid:which>/revoke/", agent_pages.mandate_revoke, name="mandate_revoke"
    ),
    path("duties/agents/<uuid:public_id>/key/", agent_pages.key_new, name="key_new"),
    path("duties/agents/<uuid:public_id>/key/<uuid:which>/revoke/", agent_pages.key_revoke, name="key_revoke"),
    path("duties/files/", upload_pages.uploads, name="uploads"),
    path("duties/files/<uuid:public_id>/", upload_pages.upload_file, name="upload_file"),
    path("duties/files/<uuid:public_id>/shown.png", upload_pages.upload_shown, name="upload_shown"),
    path("duties/files/<uuid:public_id>/delete/", upload_pages.upload_delete, name="upload_delete"),
    path("cases/<uuid:public_id>/export.zip", retention.export, name="case_zip"),
    path("datasets/<uuid:public_id>/records.txt", containment.dataset_records, name="dataset_records"),
]
