// The fields that only dynamic sources have.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import { DEFAULT_JWKS_URI } from "@sluice/signature/jwks";
import { readPublicKey } from "@sluice/signature/secret";
import type { IngressTokenRow } from "@sluice/store/configuration/ingress-tokens";

import { absoluteUrl, hasCredentials, hasFragment } from "../http/absolute-url.ts";
import { plainText } from "../http/plain-text.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { idField } from "../openapi/endpoint.ts";

const MAX_NAMES = 20;
const MAX_NAME_LENGTH = 2048;
const MAX_TOKEN_SECONDS = 31_536_000;
/** The relay tries each key for every request with a `v1a` signature. */
const MAX_PUBLIC_KEYS = 8;
/** Requests to these host names do not leave the host. Whether they are allowed at all is a setting of the gateway. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const jwksUri = absoluteUrl("must be an absolute https URL")
  // Whoever can answer for this URL can sign events, so the answer must not pass through a network in the clear.
  .refine((text) => {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || LOOPBACK.test(hostname);
  }, "must be an https URL; http is only allowed for this host (localhost, 127.0.0.1, [::1])")
  .refine((text) => !hasFragment(text), "must not have a fragment")
  .refine((text) => !hasCredentials(text), "must not hold credentials");

const publicKey = z
  .string()
  .transform((text, context) => {
    const read = readPublicKey(text);
    if ("key" in read) return read.text;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .openapi({
    type: "string",
    pattern: "^whpk_[A-Za-z0-9+/]{43}=?$",
    example: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
  });

const names = z.array(plainText(MAX_NAME_LENGTH).min(1)).max(MAX_NAMES).apply(withoutRepeats).optional();

export const bodyUnbound = z.enum(["reject", "mark"]).openapi("BodyUnbound");

/** All of them are optional, so the API can tell which ones a caller gives for a static source, and refuse these. */
export const dynamicFields = {
  audiences: names.openapi({ description: "The accepted audiences: the `aud` of a JWT must be one of them" }),
  issuers: names.openapi({
    description: "The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any.",
  }),
  token_types: names.openapi({
    description: "The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none.",
  }),
  max_token_seconds: z.int().min(1).max(MAX_TOKEN_SECONDS).optional().openapi({
    description: "The longest lifetime of a JWT: from its `iat` to its `exp`",
  }),
  jwks_uri: jwksUri
    .nullable()
    .optional()
    .openapi({ description: `The URL of the key set, by https; null means ${DEFAULT_JWKS_URI}` }),
  body_unbound: bodyUnbound.optional().openapi({
    description:
      "What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and " +
      "marks it. New sources have `reject`.",
  }),
  public_keys: z
    .array(publicKey)
    .max(MAX_PUBLIC_KEYS)
    .apply(withoutRepeats)
    .optional()
    .openapi({ description: "Public keys for `v1a` signatures, in addition to the keys of the key set" }),
};

export const shownToken = z
  .object({
    id: idField("itk"),
    truncated_token: z.string().openapi({ example: "it_...mNoP" }),
    expire_time: z
      .string()
      .nullable()
      .openapi({ format: "date-time", description: "When the token stops working; null if it has no end" }),
  })
  .openapi("IngressToken");

export function showToken({ id, truncated, expiresAt }: IngressTokenRow): z.infer<typeof shownToken> {
  return { id: formatId("itk", id), truncated_token: truncated, expire_time: expiresAt?.toISOString() ?? null };
}

/** Shows the tokens that have not expired. */
export function showTokens(tokens: readonly IngressTokenRow[]): z.infer<typeof shownToken>[] {
  return tokens.filter(({ expiresAt }) => expiresAt === null || expiresAt.getTime() > Date.now()).map(showToken);
}
