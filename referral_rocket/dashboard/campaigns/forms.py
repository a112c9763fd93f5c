"""The campaign's form and its rules' forms: what is typed, in major units and percents, as the core's terms."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from campaigns.models import (
    AutoIssueWhen,
    Beneficiary,
    Campaign,
    CouponDuration,
    CouponKind,
    EarningTiming,
    FulfilmentKind,
    OncePer,
    Remainder,
    RewardRule,
    RuleType,
)
from campaigns.services import MANUAL
from campaigns.terms import MOST_COUPON_DAYS, MOST_COUPON_MONTHS, CampaignTerms, RuleTerms
from integrations import registry
from integrations.models import EventType
from referral_rocket.dashboard.campaigns.rule_texts import (
    UnreadableText,
    conditions_text,
    joined_by,
    rate_text,
    read_conditions,
    read_rate,
    read_tiers,
    tiers_text,
)
from referral_rocket.dashboard.methods import MenuLine, method_name
from referral_rocket.kit.money import InvalidAmount, is_currency, known_currencies, parse_money, plain
from webhooks.outbound.selectors import endpoints as endpoints_in_use

# Names of the core's fields that a form calls otherwise.
_CORE_NAMES = {
    "fulfilment.method": "fulfilment",
    "fulfilment.kind": "fulfilment",
    "fulfilment.connection_id": "fulfilment",
    "fulfilment.endpoint_id": "fulfilment",
    "max_amount_per_period": "max_amount_per_month",
    **{
        f"coupon.{name}": f"coupon_{name}"
        for name in ("kind", "percent_off", "duration", "duration_months", "expires_days")
    },
    **{f"auto_issue.{name}": f"auto_issue_{name}" for name in ("when", "minimum", "limit_per_run", "approve_above")},
}
_AUTO_MONEY = ("auto_issue_minimum", "auto_issue_limit_per_run", "auto_issue_approve_above")
HOW = (("amount", "A fixed amount"), ("rate", "A percentage of the payment"), ("tiers", "By the number of referrals"))


class MoneyField(forms.CharField):
    """An amount typed in major units. Its text is kept: what it means depends on the campaign's currency."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_length=30,
            required=False,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            **options,
        )


class CountField(forms.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=1_000_000, required=False, **options)


class CampaignForm(forms.Form):
    name = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    currency = forms.ChoiceField(help_text="It can't change once the campaign has an event.")
    qualifying_event = forms.CharField(
        max_length=60, initial="purchase", help_text="What a participant has to do, such as purchase or signup."
    )
    landing_url = forms.URLField(
        label="Landing page",
        required=False,
        max_length=2000,
        assume_scheme="https",
        help_text="Where share links lead. Empty: a plain page with the referral code.",
    )
    attribution_window_days = forms.IntegerField(
        label="Attribution window (days)",
        initial=60,
        validators=[MinValueValidator(0), MaxValueValidator(3650)],
        help_text="How long after the click a purchase still counts as referred.",
    )
    holding_days = forms.IntegerField(
        label="Holding period (days)",
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(3650)],
        help_text="How long a reward waits after the event before it is due.",
    )
    earning_timing = forms.ChoiceField(
        label="Earned rewards are due",
        choices=[
            (EarningTiming.IMMEDIATE, "One by one, by themselves"),
            (EarningTiming.STATEMENT, "As one total a month"),
            (EarningTiming.DELAYED, "As one total a day, some days later"),
        ],
        initial=EarningTiming.IMMEDIATE,
        help_text="A change holds for what isn't due yet; no close is made up for the time before it.",
    )
    statement_day = forms.IntegerField(
        label="Closes at the end of day",
        required=False,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Of each month; in shorter months its last. Empty: the month's last day.",
    )
    delay_days = forms.IntegerField(
        label="Days after the last of it",
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(3650)],
        help_text="Counted from the day's last event.",
    )
    remainder = forms.ChoiceField(
        label="If less is issued than owed",
        choices=[(Remainder.DROP, "The rest is dropped, on record"), (Remainder.CARRY, "The rest is carried over")],
        initial=Remainder.DROP,
        required=False,
    )
    carry_minimum = MoneyField(
        label="Due again from",
        help_text="What was carried over for a person waits until it comes to this. Empty: at once.",
    )
    review_above = MoneyField(help_text="Rewards above this wait for a person to approve them.")
    budget = MoneyField(help_text="When it is used up, nothing more is earned.")
    fulfilment = forms.ChoiceField(label="Issued by", help_text="Preselected for what becomes due from now on.")
    coupon_kind = forms.ChoiceField(
        label="A coupon takes off",
        required=False,
        choices=[(CouponKind.AMOUNT, "The reward's amount"), (CouponKind.PERCENT, "A percentage")],
        initial=CouponKind.AMOUNT,
        help_text="Of a percentage we can't say what it will be worth: the reward counts with its own amount.",
    )
    coupon_percent_off = forms.DecimalField(
        label="Percent off", required=False, min_value=Decimal("0.01"), max_value=100, max_digits=5, decimal_places=2
    )
    coupon_duration = forms.ChoiceField(
        label="Off which invoices",
        required=False,
        choices=[(CouponDuration.ONCE, "The next one"), (CouponDuration.REPEATING, "Each one for some months")],
        initial=CouponDuration.ONCE,
        help_text="For some months, a reward's amount comes off each invoice anew: $10 over 3 months is up to $30.",
    )
    coupon_duration_months = forms.IntegerField(
        label="For how many months", required=False, min_value=1, max_value=MOST_COUPON_MONTHS
    )
    coupon_expires_days = forms.IntegerField(
        label="A code can be used for (days)",
        required=False,
        min_value=1,
        max_value=MOST_COUPON_DAYS,
        help_text="Empty: without end. What lies on a subscription stays until its next invoice.",
    )
    auto_issue_when = forms.ChoiceField(
        label="Issue by itself",
        required=False,
        choices=AutoIssueWhen.choices,
        initial=AutoIssueWhen.OFF,
        help_text="Uses the way that was fixed for each reward; what is meant for issuing by hand stays due.",
    )
    auto_issue_minimum = MoneyField(label="From", help_text="What a participant has to have due. Empty: any amount.")
    auto_issue_limit_per_run = MoneyField(
        label="At most in one run", help_text="The rest waits for the next one. Empty: no limit."
    )
    auto_issue_approve_above = MoneyField(
        label="Approval above", help_text="A larger batch waits for a second person, whoever made it."
    )
    base_tax = forms.BooleanField(label="Tax counts", required=False)
    base_shipping = forms.BooleanField(label="Shipping counts", required=False)
    base_discounts = forms.BooleanField(label="Discounts lower it", required=False, initial=True)

    def __init__(self, *args: Any, lines: Sequence[MenuLine], campaign: Campaign | None = None, **kwargs: Any) -> None:
        if campaign is not None:
            kwargs.setdefault("initial", _initial(campaign))
        super().__init__(*args, **kwargs)
        currencies = known_currencies()
        self.fields["currency"].choices = [(code, f"{code} - {name}") for code, name in currencies]  # type: ignore[attr-defined]
        self.fields["currency"].initial = self.fields["currency"].initial or "USD"
        self.fields["fulfilment"].choices = _fulfilment_choices(lines, campaign)  # type: ignore[attr-defined]

    def terms(self) -> CampaignTerms | None:
        """None where a field is wrong; the field then has its error."""
        if not self.is_valid():
            return None
        data = self.cleaned_data
        currency = data["currency"]
        money = {
            name: _money(self, name, currency) for name in ("review_above", "budget", "carry_minimum", *_AUTO_MONEY)
        }
        if self.errors:
            return None
        return CampaignTerms(
            name=data["name"].strip(),
            currency=currency,
            qualifying_event=data["qualifying_event"].strip(),
            landing_url=data["landing_url"] or None,
            attribution_window_days=data["attribution_window_days"],
            holding_days=data["holding_days"],
            review_above=money["review_above"],
            budget=money["budget"],
            earning_timing=data["earning_timing"],
            statement_day=data["statement_day"],
            delay_days=data["delay_days"],
            remainder=data["remainder"] or Remainder.DROP,
            carry_minimum=money["carry_minimum"] or 1,
            **_fulfilment_terms(data["fulfilment"]),
            **_coupon(data),
            auto_issue_when=data["auto_issue_when"] or AutoIssueWhen.OFF,
            auto_issue_minimum=money["auto_issue_minimum"] or 0,
            auto_issue_limit_per_run=money["auto_issue_limit_per_run"],
            auto_issue_approve_above=money["auto_issue_approve_above"],
            base_tax=data["base_tax"],
            base_shipping=data["base_shipping"],
            base_discounts=data["base_discounts"],
        )


def _coupon(data: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to the other choice isn't shown, so it is left out."""
    kind = data["coupon_kind"] or CouponKind.AMOUNT
    duration = data["coupon_duration"] or CouponDuration.ONCE
    return {
        "coupon_kind": kind,
        "coupon_percent_off": data["coupon_percent_off"] if kind == CouponKind.PERCENT else None,
        "coupon_duration": duration,
        "coupon_duration_months": data["coupon_duration_months"] if duration == CouponDuration.REPEATING else None,
        "coupon_expires_days": data["coupon_expires_days"],
    }


def _initial(campaign: Campaign) -> dict[str, Any]:
    names = (
        "name", "currency", "qualifying_event", "landing_url", "attribution_window_days", "holding_days",
        "earning_timing", "statement_day", "delay_days", "remainder", "base_tax", "base_shipping", "base_discounts",
        "coupon_kind", "coupon_percent_off", "coupon_duration", "coupon_duration_months", "coupon_expires_days",
        "auto_issue_when",
    )  # fmt: skip
    money = {name: getattr(campaign, name) for name in ("review_above", "budget", *_AUTO_MONEY)}
    money["auto_issue_minimum"] = campaign.auto_issue_minimum or None
    if campaign.carry_minimum > 1:
        money["carry_minimum"] = campaign.carry_minimum
    return {
        **{name: getattr(campaign, name) for name in names},
        **{name: plain(amount, campaign.currency) for name, amount in money.items() if amount is not None},
        "fulfilment": _fulfilment_key(campaign),
    }


def _fulfilment_key(campaign: Campaign) -> str:
    """How the form names who issues: the method or WEBHOOK, and after a colon the connection or the endpoint."""
    if campaign.fulfilment_kind == FulfilmentKind.WEBHOOK:
        what, which = str(FulfilmentKind.WEBHOOK), campaign.fulfilment_endpoint_id
    else:
        what, which = campaign.fulfilment_method, campaign.fulfilment_connection_id
    return f"{what}:{which}" if which else what


def _fulfilment_terms(key: str) -> dict[str, Any]:
    what, _, which = key.partition(":")
    if what == FulfilmentKind.WEBHOOK:
        return {"fulfilment_kind": what, "fulfilment_endpoint_id": UUID(which) if which else None}
    return {"fulfilment_method": what, "fulfilment_connection_id": UUID(which) if which else None}


def _fulfilment_choices(lines: Sequence[MenuLine], campaign: Campaign | None) -> list[tuple[str, str]]:
    choices = [(MANUAL, "By hand")]
    for method in registry.methods():
        through = [line for line in lines if line.choice.method == method.slug]
        choices.append((method.slug, f"{method_name(method.slug)}: {method.label}"))
        if len(through) > 1:
            choices += [(line.key, line.choice.label) for line in through]
    choices.append((FulfilmentKind.WEBHOOK, "Your own system, ordered by webhook"))
    endpoints = [each for each in endpoints_in_use() if EventType.REWARD in each.event_types]
    choices += [(f"{FulfilmentKind.WEBHOOK}:{each.pk}", f"Ordered at {each.url}") for each in endpoints]
    if campaign is not None and _fulfilment_key(campaign) not in dict(choices):
        choices.append((_fulfilment_key(campaign), f"{method_name(campaign.fulfilment_method)} (as it is)"))
    return choices


def _money(form: forms.Form, name: str, currency: str) -> int | None:
    text = form.cleaned_data.get(name, "")
    if not text:
        return None
    try:
        return parse_money(text, currency)
    except InvalidAmount as error:
        form.add_error(name, str(error))
        return None


class RuleForm(forms.Form):
    """One rule. `currency` is what the campaign's form says, which may be wrong itself: then no amount is read."""

    rule_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    type = forms.ChoiceField(choices=RuleType.choices, initial=RuleType.REFERRAL)
    beneficiary = forms.ChoiceField(
        label="Who is rewarded",
        choices=[("", "As the type implies"), *Beneficiary.choices],
        required=False,
        initial=Beneficiary.REFERRER,
    )
    how = forms.ChoiceField(label="How much", choices=HOW, initial="amount")
    amount = MoneyField(label="Amount", help_text="Of a fixed reward.")
    rate = forms.CharField(label="Percentage", required=False, max_length=20, help_text="Such as 5 or 2.5.")
    tiers = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "1: 10.00\n5: 15.00\n10: 8 %"}),
        help_text="A line for each tier: from how many referrals, and what it earns.",
    )
    once_per = forms.ChoiceField(
        label="How often", choices=[("", "As usual for this kind"), *OncePer.choices], required=False
    )
    min_purchase = MoneyField(label="Smallest purchase")
    min_purchase_count = CountField(label="From which purchase on", help_text="3: from the third on.")
    min_total_spent = MoneyField(label="Once this was spent in all")
    every_n_referrals = CountField(label="Every … referrals", help_text="Only for offers to the referrer.")
    max_per_reward = MoneyField(label="Most for one reward")
    max_rewards_per_participant = CountField(label="Most rewards for one person")
    max_amount_per_month = MoneyField(label="Most for one person a month")
    commission_months = CountField(
        label="Months after the first", help_text="Counts from the first reward, instead of the attribution window."
    )
    when_referrer_rewarded = forms.BooleanField(label="Only when the referrer is rewarded too", required=False)
    joint = forms.ChoiceField(
        label="Conditions that have to hold", choices=[("all", "All of these"), ("any", "Any of these")], required=False
    )
    conditions = forms.CharField(
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "country is one of DE, AT\namount is at least 50.00"}),
        help_text="A line each: amount, currency, country, product or metadata.…, then is, is not, is one of,"
        " is at least or is at most.",
    )

    def __init__(self, *args: Any, currency: str, rule: RewardRule | None = None, **kwargs: Any) -> None:
        if rule is not None:
            kwargs.setdefault("initial", _rule_initial(rule, currency))
        super().__init__(*args, **kwargs)
        self.currency = currency

    @property
    def has_more(self) -> bool:
        """Whether one of the rarer fields is filled in or wrong, so that they are shown unfolded."""
        rarer = (
            "min_total_spent", "every_n_referrals", "max_amount_per_month", "commission_months",
            "when_referrer_rewarded", "conditions",
        )  # fmt: skip
        return any(self[name].value() or (self.is_bound and self[name].errors) for name in rarer)

    def terms(self) -> RuleTerms | None:
        """None where a field is wrong; the field then has its error."""
        if not self.is_valid() or not is_currency(self.currency):
            return None
        data = self.cleaned_data
        names = ("amount", "min_purchase", "min_total_spent", "max_per_reward", "max_amount_per_month")
        money = {name: _money(self, name, self.currency) for name in names}
        rate = self._read("rate", read_rate) if data["how"] == "rate" else None
        tiers = self._read("tiers", lambda text: read_tiers(text, self.currency)) if data["how"] == "tiers" else None
        conditions = self._read("conditions", lambda text: read_conditions(text, data["joint"] or "all", self.currency))
        if data["how"] == "amount" and money["amount"] is None and "amount" not in self.errors:
            self.add_error("amount", "Enter an amount.")
        if self.errors:
            return None
        return RuleTerms(
            rule_id=data["rule_id"],
            type=data["type"],
            # Who buys earns: nobody is asked, and what the hidden field says doesn't count.
            beneficiary=None if data["type"] == RuleType.TRANSACTIONAL else data["beneficiary"] or None,
            amount=money["amount"] if data["how"] == "amount" else None,
            rate=rate,
            tiers=tiers,
            min_purchase=money["min_purchase"] or 0,
            min_purchase_count=data["min_purchase_count"] or 1,
            min_total_spent=money["min_total_spent"],
            every_n_referrals=data["every_n_referrals"],
            once_per=data["once_per"] or None,
            max_per_reward=money["max_per_reward"],
            max_rewards_per_participant=data["max_rewards_per_participant"],
            max_amount_per_month=money["max_amount_per_month"],
            commission_months=data["commission_months"],
            when_referrer_rewarded=data["when_referrer_rewarded"],
            conditions=conditions,
        )

    def _read(self, name: str, read: Callable[[str], Any]) -> Any:
        text = self.cleaned_data[name]
        if not text.strip():
            if name != "conditions":
                self.add_error(name, "This is needed for the choice above.")
            return None
        try:
            return read(text)
        except UnreadableText as error:
            self.add_error(name, str(error))
            return None


def _rule_initial(rule: RewardRule, currency: str) -> dict[str, Any]:
    how = "rate" if rule.rate is not None else "tiers" if rule.tiers is not None else "amount"
    names = (
        "rule_id", "type", "beneficiary", "once_per", "every_n_referrals", "max_rewards_per_participant",
        "commission_months", "when_referrer_rewarded",
    )  # fmt: skip
    money = ("amount", "min_purchase", "min_total_spent", "max_per_reward", "max_amount_per_month")
    return {
        **{name: getattr(rule, name) for name in names},
        **{name: plain(getattr(rule, name), currency) for name in money if getattr(rule, name)},
        "how": how,
        "rate": rate_text(Decimal(rule.rate)) if rule.rate is not None else "",
        "tiers": tiers_text(rule.tiers, currency),
        "min_purchase_count": rule.min_purchase_count if rule.min_purchase_count > 1 else None,
        "joint": joined_by(rule.conditions),
        "conditions": conditions_text(rule.conditions, currency),
    }


def place_errors(
    errors: Sequence[tuple[str, str, str]], campaign_form: CampaignForm, rule_forms: Sequence[RuleForm]
) -> list[str]:
    """Put the core's errors at the fields that they are about; those that belong to none are answered."""
    homeless = []
    for field, _, message in errors:
        form: forms.Form = campaign_form
        name = _CORE_NAMES.get(field, field)
        if field.startswith("rules."):
            _, position, name = field.split(".", 2)
            form = rule_forms[int(position)]
            name = _CORE_NAMES.get(name, name.split(".")[0])
        if name in form.fields:
            form.add_error(name, message)
        else:
            homeless.append(message)
    return homeless


def rule_forms(asked: Mapping[str, str] | None, *, currency: str, rules: Sequence[RewardRule] = ()) -> list[RuleForm]:
    """A form for each rule: those that were sent, else those of the campaign, else an empty one."""
    if asked is None:
        if not rules:
            return [RuleForm(currency=currency, prefix="rules-0")]
        return [RuleForm(currency=currency, rule=rule, prefix=f"rules-{n}") for n, rule in enumerate(rules)]
    return [RuleForm(asked, currency=currency, prefix=f"rules-{n}") for n in sent_positions(asked)]


# More rules than this are nobody's campaign, and would make a form that is slow on purpose.
MAXIMUM_RULES = 50


def sent_positions(asked: Mapping[str, str]) -> list[int]:
    """The numbers of the rules that a form carries, in order; a removed one leaves a gap."""
    return [n for n in range(MAXIMUM_RULES) if f"rules-{n}-type" in asked]
