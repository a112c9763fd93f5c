"""What is said to Shopify, as GraphQL of its Admin API 2026-10. A test validates each against Shopify's own schema."""

# Shapes change with the version, so it is named: what this adapter was written and tested against.
API_VERSION = "2026-10"

ACCOUNT = """
query Account {
  shop { id name myshopifyDomain currencyCode plan { partnerDevelopment publicDisplayName } }
  currentAppInstallation { accessScopes { handle } }
}
"""

# One call for all that has to be known before anything is made.
RECIPIENT_BY_ID = """
query RecipientById($id: ID!) {
  shop { currencyCode }
  customer(id: $id) { id }
}
"""

RECIPIENT_BY_EMAIL = """
query RecipientByEmail($email: String!) {
  shop { currencyCode }
  customerByIdentifier(identifier: { emailAddress: $email }) { id }
}
"""

_GIFT_CARD = """
fragment Card on GiftCard {
  id note enabled createdAt
  initialValue { amount currencyCode }
  balance { amount currencyCode }
  customer { id }
}
"""

GIFT_CARD_CREATE = (
    """
mutation GiftCardCreate($input: GiftCardCreateInput!) {
  giftCardCreate(input: $input) {
    giftCard { ...Card }
    userErrors { code field message }
  }
}
"""
    + _GIFT_CARD
)

GIFT_CARDS = (
    """
query GiftCards($query: String, $first: Int!, $after: String) {
  giftCards(first: $first, after: $after, query: $query, sortKey: ID, reverse: true) {
    nodes { ...Card }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _GIFT_CARD
)

GIFT_CARD = (
    """
query GiftCard($id: ID!) {
  giftCard(id: $id) { ...Card }
}
"""
    + _GIFT_CARD
)

GIFT_CARD_DEACTIVATE = (
    """
mutation GiftCardDeactivate($id: ID!) {
  giftCardDeactivate(id: $id) {
    giftCard { ...Card }
    userErrors { code field message }
  }
}
"""
    + _GIFT_CARD
)

_BASIC = """
fragment Basic on DiscountCodeBasic {
  title status asyncUsageCount usageLimit createdAt
  context { ... on DiscountCustomers { customers { id } } }
  customerGets {
    value {
      ... on DiscountAmount { amount { amount currencyCode } }
      ... on DiscountPercentage { percentage }
    }
  }
}
"""

_DISCOUNT = (
    """
fragment Discount on DiscountCodeNode {
  id
  codeDiscount { __typename ...Basic }
}
"""
    + _BASIC
)

DISCOUNT_CREATE = (
    """
mutation DiscountCreate($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { ...Discount }
    userErrors { code field message }
  }
}
"""
    + _DISCOUNT
)

DISCOUNT_BY_CODE = (
    """
query DiscountByCode($code: String!) {
  codeDiscountNodeByCode(code: $code) { ...Discount }
}
"""
    + _DISCOUNT
)

DISCOUNTS = (
    """
query Discounts($first: Int!, $after: String) {
  discountNodes(first: $first, after: $after, sortKey: CREATED_AT, reverse: true) {
    nodes { id discount { __typename ...Basic } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _BASIC
)

DISCOUNT_DEACTIVATE = (
    """
mutation DiscountDeactivate($id: ID!) {
  discountCodeDeactivate(id: $id) {
    codeDiscountNode { ...Discount }
    userErrors { code field message }
  }
}
"""
    + _DISCOUNT
)

SUBSCRIPTIONS = """
query Subscriptions($uri: String!, $first: Int!) {
  webhookSubscriptions(uri: $uri, first: $first) { nodes { topic uri } }
}
"""

SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhook) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

_REFUND_MADE = """
fragment RefundMade on Refund {
  legacyResourceId processedAt
  transactions(first: 5) { nodes { kind status amountSet { shopMoney { amount currencyCode } } } }
}
"""

_LINE = """
fragment Line on LineItem {
  sku quantity
  product { legacyResourceId }
  originalUnitPriceSet { shopMoney { amount currencyCode } }
  totalDiscountSet { shopMoney { amount currencyCode } }
}
"""

# How many of each: history.py.
ORDERS = (
    """
query Orders($query: String!, $first: Int!, $after: String) {
  orders(query: $query, first: $first, after: $after, sortKey: PROCESSED_AT) {
    nodes {
      id legacyResourceId test processedAt currencyCode displayFinancialStatus taxesIncluded email discountCodes
      customer { legacyResourceId defaultEmailAddress { emailAddress } }
      customAttributes { key value }
      shippingAddress { countryCodeV2 }
      billingAddress { countryCodeV2 }
      totalPriceSet { shopMoney { amount currencyCode } }
      totalTaxSet { shopMoney { amount currencyCode } }
      totalDiscountsSet { shopMoney { amount currencyCode } }
      totalShippingPriceSet { shopMoney { amount currencyCode } }
      shippingLines(first: 3) { nodes { taxLines { priceSet { shopMoney { amount currencyCode } } } } }
      lineItems(first: 10) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
      refunds(first: 5) { ...RefundMade }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _LINE
    + _REFUND_MADE
)

ORDER_LINES = (
    """
query OrderLines($id: ID!, $first: Int!, $after: String) {
  order(id: $id) { lineItems(first: $first, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } } }
}
"""
    + _LINE
)

ORDER_REFUNDS = (
    """
query OrderRefunds($id: ID!, $first: Int!) {
  order(id: $id) { refunds(first: $first) { ...RefundMade } }
}
"""
    + _REFUND_MADE
)

DISPUTES = """
query Disputes($query: String!, $first: Int!, $after: String) {
  disputes(query: $query, first: $first, after: $after) {
    nodes {
      legacyResourceId type status initiatedAt finalizedOn
      amount { amount currencyCode }
      order { legacyResourceId test }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
