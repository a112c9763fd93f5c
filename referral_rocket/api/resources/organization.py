"""`/organization` and `/test-clock`."""

from rest_framework.request import Request

from referral_rocket.accounts.models import Scope
from referral_rocket.accounts.services import organization_update
from referral_rocket.api.answers import Answer
from referral_rocket.api.operations import operation
from referral_rocket.api.payloads.organization import organization
from referral_rocket.api.problems import Problem
from referral_rocket.api.shapes.organization import OrganizationChange, OrganizationShape, TestClock
from referral_rocket.api.views import ApiView
from webhooks.outbound.advancing import clock_advance


class OrganizationView(ApiView):
    @operation("organization_get", "The key's organization", scope=Scope.READ, answers={200: OrganizationShape})
    def get(self, request: Request) -> Answer:
        return Answer(200, organization(self.organization))

    @operation(
        "organization_update",
        "Rename the organization or move it to another time zone",
        takes=OrganizationChange,
        answers={200: OrganizationShape},
        about="A live organization's test twin follows it.",
    )
    def patch(self, request: Request) -> Answer:
        organization_update(organization=self.organization, **self.given)
        return Answer(200, organization(self.organization))


class TestClockView(ApiView):
    @operation(
        "test_clock_advance",
        "Advance the test clock",
        takes=TestClock,
        answers={200: OrganizationShape},
        refuses={403: ["test_key_required"], 422: ["clock_moves_forward_only"]},
        about="For keys of a test organization. What becomes due until then becomes due at once.",
    )
    def post(self, request: Request) -> Answer:
        if not self.organization.is_test:
            raise Problem(403, "test_key_required", "Only a test organization has a test clock. Use a test key.")
        clock_advance(organization=self.organization, now=self.given["now"])
        return Answer(200, organization(self.organization))
