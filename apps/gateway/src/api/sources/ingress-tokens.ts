// /v1/sources/{id}/ingress-tokens: the tokens that make the address of a dynamic source unguessable. A source can have
// several, so that its address can be replaced without a gap.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { truncateIngressToken } from "@sluice/signature/ingress-token";
import { createIngressToken, deleteIngressToken } from "@sluice/store/configuration/ingress-tokens";
import { wrongKind } from "@sluice/store/configuration/rotation";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { takeEmptyBody } from "../http/empty-body.ts";
import { problems } from "../http/problems.ts";
import { idField, jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { shownToken, showTokens } from "./dynamic-source-schema.ts";
import { findSource, lockSource } from "./find-source.ts";
import { showIngressAddress } from "./ingress-address.ts";
import { makeSourceChange } from "./source-change.ts";
import { readSourceId, sourceParams, type SourcesDependencies, sourceTags as tags } from "./source-endpoint.ts";

const newToken = z
  .strictObject({
    previous: z
      .enum(["keep", "revoke_after_24h", "revoke_immediately"])
      .openapi("PreviousTokens")
      .default("keep")
      .openapi({
        description: "What happens to the existing tokens. A token that expires sooner keeps its own expiry.",
      }),
  })
  .openapi("NewIngressToken");

const createdToken = shownToken
  .extend({
    token: z.string().openapi({ description: "The token; shown only in this answer", example: "it_…" }),
    ingress_path: z.string().openapi({ example: "/in/gemini-dynamic/it_…" }),
    url: z.string().nullable().openapi({ description: "The whole URL; null if the relay has no `PUBLIC_URL`" }),
  })
  .openapi("CreatedIngressToken");

const endpoints = {
  create: createRoute({
    method: "post",
    path: "/v1/sources/{id}/ingress-tokens",
    tags,
    summary: "Create an ingress token for a dynamic source",
    description: "The token is a part of the address of the source. Several can be valid at the same time.",
    middleware: takeEmptyBody,
    request: { params: sourceParams, query: noParameters, body: jsonBody(newToken) },
    responses: {
      201: jsonAnswer("The token", createdToken),
      ...problems("wrong_kind", "limit_reached"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/sources/{id}/ingress-tokens/{token_id}",
    tags,
    summary: "Revoke an ingress token at once",
    description: "Webhooks that come to the address with this token are refused from now on.",
    request: {
      params: sourceParams.extend({ token_id: idField("itk").openapi({ description: "The id of the ingress token" }) }),
      query: noParameters,
    },
    responses: { 204: { description: "The token is revoked" }, ...problems("wrong_kind"), default: problemResponse },
  }),
};

export function routeIngressTokens(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { publicUrl } = dependencies;

  app.openapi(endpoints.create, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { previous } = c.req.valid("json");
    const { name, token } = await makeSourceChange(c, dependencies, async (tx, record) => {
      const source = await lockSource(tx, id);
      const before = showTokens(source.ingressTokens);
      const created = await createIngressToken(tx, id, previous);
      const after = showTokens((await findSource(tx, id)).ingressTokens);
      await record({
        action: "ingress_token.created",
        resourceId: formatId("itk", created.id),
        before: { source: formatId("src", id), ingress_tokens: before },
        after: { source: formatId("src", id), ingress_tokens: after },
      });
      return { name: source.name, token: created };
    });
    const answer = {
      id: formatId("itk", token.id),
      token: token.text,
      truncated_token: truncateIngressToken(token.text),
      ...showIngressAddress(publicUrl, `/in/${name}/${token.text}`),
      expire_time: null,
    };
    return c.json(answer, 201);
  });

  app.openapi(endpoints.delete, async (c) => {
    const { id, token_id: tokenId } = c.req.valid("param");
    const sourceId = readSourceId(id);
    await makeSourceChange(c, dependencies, async (tx, record) => {
      const source = await lockSource(tx, sourceId);
      if (source.kind !== "dynamic") throw wrongKind("dynamic");
      const token = parseId("itk", tokenId, "{token_id}");
      const before = showTokens(source.ingressTokens.filter((row) => row.id === token))[0];
      if (!(await deleteIngressToken(tx, source.id, token))) {
        throw new SluiceError("not_found", "The source has no ingress token with this id");
      }
      await record({ action: "ingress_token.revoked", resourceId: tokenId, before: { source: id, ...before } });
    });
    return c.body(null, 204);
  });
}
