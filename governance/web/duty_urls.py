"""Addresses of the duties around the weights."""

from django.urls import URLPattern, URLResolver, path

from governance.web import containment

staff: list[URLPattern | URLResolver] = [
    path("duties/", containment.duties, name="duties"),
    path("duties/lift/", containment.lift, name="containment_lift"),
    path("duties/filter-list/", containment.filter_list_make, name="filter_list_make"),
    path("duties/filter-list/<int:version>.json", containment.filter_list, name="filter_list"),
    path("datasets/<uuid:public_id>/records.txt", containment.dataset_records, name="dataset_records"),
]
