// The reasons for which the ingress refuses requests, as the document names them.

import { z } from "@hono/zod-openapi";

import { REFUSAL_REASONS } from "@sluice/signature/refusal";

export const refusalReason = z.enum(REFUSAL_REASONS).openapi("RefusalReason", {
  description: "Why the ingress refused a request. docs/errors.md explains each reason.",
  example: "signature_mismatch",
});
