"""The shape of every error."""

from rest_framework import serializers


class FieldError(serializers.Serializer[object]):
    field = serializers.CharField(help_text="The field's path, such as `rules.0.amount`.")
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemShape(serializers.Serializer[object]):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="What went wrong, for programs.")
    request_id = serializers.CharField(help_text="Under this id the request is in the logs.")
    # The name is the form's own; nothing is validated with it.
    errors = FieldError(  # type: ignore[assignment]
        many=True, required=False, help_text="The fields that are to blame."
    )
