// The fields that dynamic sources have and static ones have not.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import { DEFAULT_JWKS_URI } from "@sluice/signature/jwks";
import { readPublicKey } from "@sluice/signature/secret";
import type { IngressTokenRow } from "@sluice/store/configuration/ingress-tokens";

import { plainText } from "../http/plain-text.ts";
import { refuseRepeats } from "../http/repeats.ts";

const MAX_AUDIENCES = 20;
const MAX_AUDIENCE_LENGTH = 2048;
/** Each is a try for every request with a signature of `v1a`. */
const MAX_PUBLIC_KEYS = 8;
/** On these, http does not leave the host. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const jwksUri = z
  .string()
  .max(2048)
  // new URL() repairs what it reads (spaces, backslashes, missing slashes), and what is stored is what was written.
  .refine((text) => /^https?:\/\/[^\s\\\p{Cc}]+$/iu.test(text) && URL.canParse(text), {
    error: "must be an absolute https URL",
    abort: true,
  })
  // Who can answer in its place can sign events.
  .refine((text) => {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || LOOPBACK.test(hostname);
  }, "must be an https URL; http is for this host alone (localhost, 127.0.0.1, [::1])")
  .refine((text) => !text.includes("#"), "must not have a fragment")
  .refine((text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  }, "must not hold credentials");

const publicKey = z
  .string()
  .transform((text, context) => {
    const read = readPublicKey(text);
    if ("key" in read) return read.text;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .openapi({ type: "string", example: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=" });

/** All optional, so that those that are given for a static source can be told. */
export const dynamicFields = {
  audiences: z
    .array(plainText(MAX_AUDIENCE_LENGTH).min(1))
    .max(MAX_AUDIENCES)
    .superRefine(refuseRepeats)
    .optional()
    .openapi({ description: "A JWT must be for one of these" }),
  jwks_uri: jwksUri
    .nullable()
    .optional()
    .openapi({ format: "uri", description: `Where the keys are; null means ${DEFAULT_JWKS_URI}` }),
  body_unbound: z
    .enum(["reject", "mark"])
    .optional()
    .openapi({ description: 'What becomes of an event whose signature does not bind its body; "reject" at first' }),
  public_keys: z
    .array(publicKey)
    .max(MAX_PUBLIC_KEYS)
    .superRefine(refuseRepeats)
    .optional()
    .openapi({ description: "Keys of `v1a` beside those of the key set" }),
};

export const shownToken = z
  .object({
    id: z.string().openapi({ example: "itk_01h455vb4pex5vsknk084sn02q" }),
    truncated_token: z.string().openapi({ example: "it_...mNoP" }),
    expire_time: z.string().nullable().openapi({ format: "date-time", description: "Null while it is current" }),
  })
  .openapi("IngressToken");

export function showToken({ id, truncated, expiresAt }: IngressTokenRow): z.infer<typeof shownToken> {
  return { id: formatId("itk", id), truncated_token: truncated, expire_time: expiresAt?.toISOString() ?? null };
}

/** The tokens that are still valid. */
export function showTokens(tokens: readonly IngressTokenRow[]): z.infer<typeof shownToken>[] {
  return tokens.filter(({ expiresAt }) => expiresAt === null || expiresAt.getTime() > Date.now()).map(showToken);
}
