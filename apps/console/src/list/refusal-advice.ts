// What each reason of a refusal means, and what to do about it. docs/errors.md has the same reasons in full.

import type { RejectionRow } from "../data/records.ts";

interface RefusalAdvice {
  what: string;
  todo: string;
}

export const REFUSAL_ADVICE: Record<RejectionRow["reason"], RefusalAdvice> = {
  signature_mismatch: {
    what: "No signature matches under a secret or key of the source.",
    todo: "Give the source the secret that Gemini signs with: open the source, and rotate or set its secret. If the secret is right, a proxy in front changes the body.",
  },
  no_secret: {
    what: "The source has no signing secret. Gemini comes back for 24 hours.",
    todo: "Set the secret of the source, or let the relay register the webhook at Gemini.",
  },
  missing_header: {
    what: "A header that the signature needs is missing or empty.",
    todo: "Somebody else than Gemini may be calling, or a proxy removes headers that begin with “webhook-”. Let it pass them on.",
  },
  malformed_header: {
    what: "The id or the timestamp is not in the form of Standard Webhooks.",
    todo: "Gemini sends no such headers: find out who sends from this address.",
  },
  malformed_signature: {
    what: "The signature header cannot be read.",
    todo: "Gemini sends no such header: find out who sends from this address. The detail says what is wrong with it.",
  },
  unaccepted_scheme: {
    what: "The signature has a scheme that the source does not accept.",
    todo: "Add the scheme to “schemes” of the source, or send to the source that accepts it.",
  },
  unaccepted_algorithm: {
    what: "A token is signed with another algorithm than RS256 or EdDSA.",
    todo: "Gemini signs with these two: find out who sends from this address.",
  },
  stale_timestamp: {
    what: "The timestamp is older than the source tolerates.",
    todo: "Compare the clock of this machine (System), or look for what holds requests back. “tolerance_seconds” of the source sets the limit.",
  },
  future_timestamp: {
    what: "The timestamp is ahead of the relay’s clock.",
    todo: "Set the clock of this machine: synchronise it with NTP.",
  },
  unknown_key: {
    what: "A token names a key that Google’s key set does not have.",
    todo: "Check “jwks_uri” of the source, and that the relay reaches it.",
  },
  wrong_audience: {
    what: "A token is meant for somebody else.",
    todo: "Add its audience to “audiences” of the source, if it is yours.",
  },
  wrong_issuer: {
    what: "A token comes from another issuer.",
    todo: "Add the issuer to “issuers” of the source, if you trust it.",
  },
  wrong_token_type: {
    what: "The “typ” of a token is none that the source accepts.",
    todo: "Add it to “token_types” of the source, if it is right.",
  },
  excessive_lifetime: {
    what: "A token is valid for longer than the source accepts.",
    todo: "Raise “max_token_seconds” of the source, if such tokens are wanted.",
  },
  expired_token: {
    what: "A token, a callback URL or an ingress token has expired.",
    todo: "Make new callback URLs in time, or rotate the ingress token before it expires.",
  },
  spent_token: {
    what: "A token came before with another webhook-id: somebody may have replayed it.",
    todo: "Nothing, when it is rare. If it repeats, find out who sends from this address.",
  },
  consumed_token: {
    what: "Another webhook used this single-use callback URL before.",
    todo: "Make one callback URL for each job, or make it without “single_use”.",
  },
  missing_token: {
    what: "The address of a dynamic source came without its token.",
    todo: "Give the sender the whole address, which ends with a token.",
  },
  unknown_token: {
    what: "The token in the address does not belong to the source.",
    todo: "Give the sender a current address. It may use a token that was revoked.",
  },
  too_large: {
    what: "The body is larger than the relay takes.",
    todo: "Raise MAX_BODY_BYTES of the gateway, if such bodies are wanted.",
  },
  body_interrupted: {
    what: "The body did not arrive completely.",
    todo: "Nothing: the sender sends it again. If it repeats, look at the network and at proxies in between.",
  },
  body_mismatch: {
    what: "A token belongs to another body.",
    todo: "Look for a proxy that changes bodies. If there is none, somebody uses a foreign token.",
  },
  body_unbound: {
    what: "A token says nothing about the body, and the source does not accept such tokens.",
    todo: "Set “body_unbound” of the source to “mark”, if you trust the way to the relay.",
  },
  reconciled_before: {
    what: "The webhook came after the relay had read the job itself.",
    todo: "Nothing: its targets have the event already.",
  },
};

export const REFUSAL_REASONS_SHOWN = Object.keys(REFUSAL_ADVICE) as RejectionRow["reason"][];
