// What to do about each reason for which a webhook is refused. docs/errors.md says when each happens.

import type { RefusalReason } from "@sluice/signature/refusal";

export const ADVICE: Readonly<Record<RefusalReason, string>> = {
  missing_token:
    "Give the sender the whole address of the source: `sluice sources callback-url` or `sluice sources token`.",
  unknown_token: "Compare the address that the sender uses with `sluice sources get`; a static source takes no token.",
  expired_token: "Make a new callback URL or token, and give it to the sender. A JWT that is old is refused for good.",
  consumed_token: "Make a callback URL for each job, or one that is not for a single use.",
  too_large: "Raise MAX_BODY_BYTES of the gateway.",
  body_interrupted: "Look for a proxy or a time limit that cuts the body off between the sender and the relay.",
  missing_header:
    "A proxy may drop the headers webhook-id, webhook-timestamp or webhook-signature. Or this is no webhook of Gemini.",
  malformed_header: "Look for a proxy that changes headers.",
  malformed_signature:
    "Look for a proxy that changes or joins headers. A signature is a list of parts such as v1,base64.",
  unaccepted_scheme: "Static webhooks belong to a static source (v1), dynamic ones to a dynamic source (v1a, jwt).",
  unaccepted_algorithm: "Google signs with RS256 or EdDSA: somebody else made this token.",
  stale_timestamp:
    "Compare the clock of the relay with the time (`sluice doctor`). An old webhook may also be sent again by somebody.",
  future_timestamp: "Compare the clock of the relay with the time (`sluice doctor`).",
  no_secret:
    "Set the signing secret of the source, which Gemini showed when the webhook was registered: " +
    "`sluice sources rotate SOURCE --previous revoke_immediately --secret @FILE`.",
  unknown_key: "Compare `jwks_uri` of the source with the place where the sender publishes its keys.",
  signature_mismatch:
    "Set the signing secret of this very webhook, and look for a proxy that changes the body: not one byte may differ.",
  wrong_audience: "Add the `aud` of the token to `audiences` of the source, if it is your own address.",
  wrong_issuer: "Add the `iss` of the token to `issuers` of the source, if you trust it.",
  wrong_token_type: "Add the `typ` of the token to `token_types` of the source, if the sender uses it for webhooks.",
  excessive_lifetime: "Raise `max_token_seconds` of the source, if the sender makes such tokens.",
  spent_token: "Nothing: a token proves one webhook, and this one was sent again under another id.",
  body_mismatch:
    "Look for a proxy that changes the body. Otherwise somebody sends a foreign token with a body of their own.",
  body_unbound: "Set `body_unbound` of the source to `mark` only if its targets check the event themselves.",
  reconciled_before: "Nothing: the relay had found out that the job ended, and its targets have that event.",
};
