"""`/customers`."""

from dataclasses import asdict
from uuid import UUID

from rest_framework.request import Request

from participants.models import ProviderCustomer
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import people as payloads
from referral_rocket.api.payloads.rewards import rewards as rewards_payload
from referral_rocket.api.resources.lookup import customer_of
from referral_rocket.api.shapes.people import BalanceShape, CustomerRewardFilters, CustomerShape
from referral_rocket.api.shapes.rewards import RewardShape
from referral_rocket.api.views import ApiView
from rewards.balances import balances
from rewards.selectors import rewards


class CustomerView(ApiView):
    @operation("customer_get", "One customer", scope=Scope.READ, answers={200: CustomerShape})
    def get(self, request: Request, customer_id: UUID) -> Answer:
        customer = customer_of(customer_id)
        ids = ProviderCustomer.objects.filter(customer=customer).order_by("provider")
        return Answer(200, payloads.customer(customer, dict(ids.values_list("provider", "provider_id"))))


class CustomerRewardsView(ApiView):
    @operation(
        "customer_rewards",
        "A customer's rewards in all campaigns, newest first",
        scope=Scope.READ,
        filters=CustomerRewardFilters,
        answers={200: RewardShape},
        listed=True,
    )
    def get(self, request: Request, customer_id: UUID) -> Answer:
        found = rewards().filter(customer=customer_of(customer_id))
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        return page(found, self.query, rewards_payload)


class CustomerBalanceView(ApiView):
    @operation(
        "customer_balance",
        "What a customer has earned, is owed and was given",
        scope=Scope.READ,
        answers={200: BalanceShape},
    )
    def get(self, request: Request, customer_id: UUID) -> Answer:
        customer = customer_of(customer_id)
        sums = [asdict(balance) for balance in balances(customer.pk)]
        return Answer(200, {"customer_id": str(customer.pk), "balances": sums})
