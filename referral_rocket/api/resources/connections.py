"""`/connections`."""

from uuid import UUID

from rest_framework.request import Request

from integrations.models import Connection
from integrations.selectors import connections
from integrations.services import (
    connection_create,
    connection_disconnect,
    connection_request_check,
    connection_update,
)
from integrations.tasks import check_connections
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.fields import Paging
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import connections as payloads
from referral_rocket.api.resources.lookup import one
from referral_rocket.api.shapes.connections import (
    ConnectionChange,
    ConnectionNew,
    ConnectionShape,
    what_each_takes,
    who_needs_a_webhook_secret,
)
from referral_rocket.api.views import ApiView
from referral_rocket.kit.nudges import nudge


class ConnectionsView(ApiView):
    @operation(
        "connections_list",
        "Connections, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: ConnectionShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        return page(connections(), self.query, payloads.connections)

    @operation(
        "connection_create",
        "Connect a provider",
        takes=ConnectionNew,
        answers={201: ConnectionShape},
        refuses={422: ["mode_mismatch"]},
        about=f"Credentials: {what_each_takes()}. They are checked at the provider by the check, not here, and never come "
        "out again. `webhook_secret` is what the provider signs its webhooks with; those of "
        f"{who_needs_a_webhook_secret()} are refused without it.",
    )
    def post(self, request: Request) -> Answer:
        made = connection_create(organization=self.organization, actor=self.actor, **self.given)
        return Answer(201, payloads.connection(made))


class ConnectionView(ApiView):
    @operation("connection_get", "One connection", scope=Scope.READ, answers={200: ConnectionShape})
    def get(self, request: Request, connection_id: UUID) -> Answer:
        return Answer(200, payloads.connection(_connection(connection_id)))

    @operation(
        "connection_update",
        "Replace credentials, webhook secret or settings",
        takes=ConnectionChange,
        answers={200: ConnectionShape},
        refuses={422: ["mode_mismatch"]},
    )
    def patch(self, request: Request, connection_id: UUID) -> Answer:
        changed = connection_update(connection=_connection(connection_id), actor=self.actor, **self.given)
        return Answer(200, payloads.connection(changed))

    @operation(
        "connection_disconnect",
        "Disconnect a provider",
        answers={204: None},
        about="Forgets the credentials. The connection stays on record, DISCONNECTED; doing it again changes nothing.",
    )
    def delete(self, request: Request, connection_id: UUID) -> Answer:
        connection_disconnect(connection=_connection(connection_id), actor=self.actor)
        return Answer(204)


class ConnectionCheckView(ApiView):
    @operation(
        "connection_check",
        "Ask the provider whether the credentials work",
        answers={202: ConnectionShape},
        about="The provider is asked in the background; `check_pending` becomes false once it has answered.",
    )
    def post(self, request: Request, connection_id: UUID) -> Answer:
        asked = connection_request_check(connection=_connection(connection_id))
        nudge(check_connections)
        return Answer(202, payloads.connection(asked))


def _connection(connection_id: UUID) -> Connection:
    return one(connections(), connection_id, "connection")
