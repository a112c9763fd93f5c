from uuid import UUID

from django.shortcuts import get_object_or_404

from integrations.models import Connection


def connection_or_404(connection_id: UUID) -> Connection:
    found: Connection = get_object_or_404(Connection, pk=connection_id)
    return found
