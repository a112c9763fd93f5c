import crypto from "node:crypto";

// `secret` is the endpoint's (whsec_…), `headers` have lower-case names, `body` is the raw body (Buffer or text).
export function verify(secret, headers, body, tolerance = 300) {
  const timestamp = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= tolerance)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = crypto.createHmac("sha256", key).update(`${headers["webhook-id"]}.${timestamp}.`).update(body);
  const expected = signed.digest();
  return headers["webhook-signature"].split(" ").some((each) => {
    const given = Buffer.from(each.startsWith("v1,") ? each.slice(3) : "", "base64");
    return given.length === expected.length && crypto.timingSafeEqual(given, expected);
  });
}
