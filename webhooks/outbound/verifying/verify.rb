require "base64"
require "openssl"

# `secret` is the endpoint's (whsec_…), `headers` have lower-case names, `body` is the raw body.
def verify(secret, headers, body, tolerance: 300)
  timestamp = headers["webhook-timestamp"]
  return false if (Time.now.to_i - Integer(timestamp, 10)).abs > tolerance

  key = Base64.decode64(secret.delete_prefix("whsec_"))
  signed = "#{headers["webhook-id"]}.#{timestamp}.".b + body.b
  expected = Base64.strict_encode64(OpenSSL::HMAC.digest("SHA256", key, signed))
  headers["webhook-signature"].split.any? do |each|
    given = each.delete_prefix("v1,")
    each.start_with?("v1,") && given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given, expected)
  end
end
