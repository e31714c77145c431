"""Shapes of the interface. What a text may hold is checked by the same validators as in the forms."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from governance.api.drp import DrpSerializer
from governance.clocks import LAWS, default_for, laws_for
from governance.kinds import rule
from governance.models import ClaimedItem, Disposition, Kind, Status, Upload
from governance.services.intake import MAX_ITEMS, MAX_TEXT, Item
from governance.validators import ADDRESS_LENGTH, EMAIL_LENGTH, NAME_LENGTH, TITLE_LENGTH, no_nul, one_line, web_address

FORMS = [ClaimedItem.Form.TEXT, ClaimedItem.Form.URL, ClaimedItem.Form.FACT, ClaimedItem.Form.CONTEXT]


class ItemSerializer(serializers.Serializer[Any]):
    """One work (`text` or `url`) or one fact."""

    form = serializers.ChoiceField(
        choices=FORMS,
        help_text="text or url for a work or passage, fact for a request about a person, context for what explains it",
    )
    title = serializers.CharField(
        max_length=TITLE_LENGTH, validators=[one_line], required=False, help_text="a work's title; needed with text"
    )
    text = serializers.CharField(
        max_length=MAX_TEXT, validators=[no_nul], trim_whitespace=False, help_text="the text, the address or the fact"
    )
    replacement = serializers.CharField(
        max_length=MAX_TEXT, validators=[no_nul], required=False, help_text="in a correction: what is right instead"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A text has a title, an address is an address, nothing is blank."""
        problems = {}
        if not attrs["text"].strip():
            problems["text"] = "Write a text, an address or a fact."
        if attrs["form"] == ClaimedItem.Form.TEXT and not attrs.get("title"):
            problems["title"] = "Give the work its title."
        if attrs["form"] == ClaimedItem.Form.URL:
            try:
                web_address(attrs["text"])
            except DjangoValidationError as error:
                problems["text"] = error.messages[0]
            if len(attrs["text"]) > ADDRESS_LENGTH:
                problems["text"] = f"An address has at most {ADDRESS_LENGTH} characters."
        if problems:
            raise serializers.ValidationError(problems)
        return attrs


def _items(rows: list[dict[str, Any]]) -> list[Item]:
    """Items as the services take them."""
    return [
        Item(
            form=item["form"],
            title=item.get("title") or (f"Fact {n}" if item["form"] == "fact" else item["text"][:TITLE_LENGTH]),
            text=item["text"],
            replacement=item.get("replacement", ""),
        )
        for n, item in enumerate(rows, 1)
    ]


class AddWorksSerializer(serializers.Serializer[Any]):
    """Works that come after filing."""

    items = ItemSerializer(many=True, allow_empty=False, max_length=MAX_ITEMS)  # type: ignore[call-arg]

    def validate_items(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Texts and addresses."""
        if any(item["form"] not in (ClaimedItem.Form.TEXT, ClaimedItem.Form.URL) for item in items):
            raise serializers.ValidationError("Works are texts and addresses.")
        if any(item.get("replacement") for item in items):
            raise serializers.ValidationError("Only a correction names what is right instead.")
        return items

    def claimed(self) -> list[Item]:
        """The works as the service takes them."""
        return _items(self.validated_data["items"])


class AddedSerializer(serializers.Serializer[Any]):
    """Where the added works stand: the same request, or another one where the first was decided."""

    number = serializers.CharField(help_text="case number")
    added = serializers.IntegerField(help_text="works that were not there before")
    due_on = serializers.DateField(help_text="last day for the answer")
    status_url = serializers.URLField(help_text="private page of that request")
    status_api_url = serializers.URLField(help_text="the same for programs")


class FilingSerializer(serializers.Serializer[Any]):
    """A request as it is filed."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    law = serializers.ChoiceField(
        choices=sorted(LAWS), required=False, help_text="needed where the kind of request knows several"
    )
    name = serializers.CharField(
        max_length=NAME_LENGTH, validators=[one_line], required=False, help_text="needed without a mandate"
    )
    email = serializers.EmailField(max_length=EMAIL_LENGTH, required=False, help_text="needed without a mandate")
    mandate = serializers.UUIDField(
        required=False, help_text="of an agent with a key: for whom it asks; name and address are then known"
    )
    items = ItemSerializer(many=True, allow_empty=False, max_length=MAX_ITEMS)  # type: ignore[call-arg]
    declared = serializers.BooleanField(
        default=False,
        help_text="with an opt-out: the declaration that the works are the caller's, or that they act for the holder",
    )

    share_fingerprints = serializers.BooleanField(
        default=False,
        help_text="with an opt-out: the claimant agrees that fingerprints of their works stand in the public feed of "
        "opt-outs; ended by `DELETE` of `.../sharing/` or on the private page",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Law, declaration and kinds of items fit the kind of request."""
        kind, problems = attrs["kind"], {}
        fitting = {law.code for law in laws_for(kind)}
        attrs.setdefault("law", default_for(kind))
        if attrs["law"] not in fitting:
            problems["law"] = f"With a {kind} request one of: {', '.join(sorted(fitting))}."
        if kind == Kind.COPYRIGHT and not attrs["declared"]:
            problems["declared"] = "Declare that the works are yours, or that you act for whoever holds the rights."
        if kind != Kind.COPYRIGHT and attrs["share_fingerprints"]:
            problems["share_fingerprints"] = "Only works of an opt-out have fingerprints that are given to others."
        named = [item for item in attrs["items"] if item["form"] != ClaimedItem.Form.CONTEXT]
        if {item["form"] == ClaimedItem.Form.FACT for item in named} != {rule(kind).form == ClaimedItem.Form.FACT}:
            forms = "fact" if rule(kind).form == ClaimedItem.Form.FACT else "text or url"
            problems["items"] = (
                f"In a {kind} request the form of an item is {forms}; context comes only beside such items."
            )
        for name in () if "mandate" in attrs else ("name", "email"):
            if not attrs.get(name):
                problems[name] = "This field is required."
        if problems:
            raise serializers.ValidationError(problems)
        return attrs

    def claimed(self) -> list[Item]:
        """The items as the service takes them."""
        return _items(self.validated_data["items"])


class WorkSerializer(serializers.Serializer[Any]):
    """A challenge: find a number with which SHA-256 of `challenge:number` begins with so many zero bits."""

    challenge = serializers.CharField()
    bits = serializers.IntegerField()
    expires_at = serializers.DateTimeField(help_text="until when an answer counts")


class ReceiptSerializer(serializers.Serializer[Any]):
    """What the caller gets for a filed request."""

    number = serializers.CharField(help_text="case number, can be read out")
    status_url = serializers.URLField(help_text="private page of the case: whoever has it can read it")
    status_api_url = serializers.URLField(help_text="the same for programs")
    due_on = serializers.DateField(help_text="last day for the answer")


class StandingSerializer(serializers.Serializer[Any]):
    """Where a case stands."""

    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    disposition = serializers.ChoiceField(
        choices=Disposition.choices, allow_blank=True, help_text="empty while open, and while `findings_told` is false"
    )
    findings_told = serializers.BooleanField(
        help_text="false until identity is proven in a request about a person: what was found is not told before"
    )
    received_on = serializers.DateField()
    due_on = serializers.DateField()
    closed_at = serializers.DateTimeField(allow_null=True)
    email_confirmed = serializers.BooleanField()
    proof_api_url = serializers.URLField(help_text="what shows that it is yours, and what that unlocks")
    fingerprints_shared = serializers.BooleanField(help_text="whether the claimant agreed that others may have them")
    report = serializers.CharField(allow_blank=True, help_text="number of the signed report, empty until there is one")
    status_url = serializers.URLField(help_text="private page of the case, with the report")
    drp = DrpSerializer(help_text="the same in the words of the Data Rights Protocol")


class FiledSerializer(serializers.Serializer[Any]):
    """One case in an agent's list."""

    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    disposition = serializers.ChoiceField(choices=Disposition.choices, allow_blank=True)
    received_on = serializers.DateField()
    due_on = serializers.DateField()
    mandate = serializers.UUIDField()
    status_api_url = serializers.URLField(required=False, help_text="absent once the mandate is revoked")
    proof_api_url = serializers.URLField(required=False, help_text="absent once the mandate is revoked")


class FileSerializer(serializers.Serializer[Any]):
    """A file that was sent to a case, and what became of it."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Upload.State.choices)
    code = serializers.CharField(allow_blank=True, help_text="why it was not taken, or still waits, for programs")
    why = serializers.CharField(allow_blank=True, help_text="the same in English")
    kind = serializers.CharField(allow_blank=True, help_text="what it is by its bytes")
    size = serializers.IntegerField()
    digest = serializers.CharField()
    received_at = serializers.DateTimeField()


class SendFileSerializer(serializers.Serializer[Any]):
    """A file as it is sent."""

    file = serializers.FileField(allow_empty_file=True)


class PlaceSerializer(serializers.Serializer[Any]):
    """One problem and the place that it is about."""

    pointer = serializers.CharField(help_text="JSON pointer into what was sent")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457): every problem at once."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(required=False, help_text="name of the refusal for programs, where it has one")
    messages = serializers.ListField(child=serializers.CharField())
    errors = PlaceSerializer(many=True, required=False)  # type: ignore[assignment]
