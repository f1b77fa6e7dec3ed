import { expect } from "vitest";

import { endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import { test } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { createDocument } from "./document.ts";
import { endpointName } from "./endpoint-name.ts";

test.for([
  ["get", "/v1/targets", true, "listTargets"],
  ["post", "/v1/targets", false, "createTarget"],
  ["get", "/v1/targets/{id}", false, "getTarget"],
  ["patch", "/v1/targets/{id}", false, "updateTarget"],
  ["delete", "/v1/targets/{id}", false, "deleteTarget"],
  ["post", "/v1/targets/{id}:rotate-secret", false, "rotateTargetSecret"],
  ["post", "/v1/deliveries/{id}:retry", false, "retryDelivery"],
  ["post", "/v1/deliveries:retry", false, "retryDeliveries"],
  ["get", "/v1/set-aside-events/{id}", false, "getSetAsideEvent"],
  ["get", "/v1/events/{id}/body", false, "getEventBody"],
  ["delete", "/v1/sources/{id}/ingress-tokens/{token_id}", false, "deleteSourceIngressToken"],
  ["get", "/v1/stats", false, "getStats"],
  ["get", "/metrics", false, "getMetrics"],
  ["get", "/v1beta/webhooks", true, "listWebhooksBeta"],
  ["post", "/v1/webhooks/{id}:rotateSigningSecret", false, "rotateWebhookSigningSecret"],
  ["post", "/v1/webhooks/{id}/rotate_secret", false, "rotateWebhookSecret"],
] as const)("%s %s is named by what it does", ([method, path, isList, name]) => {
  expect(endpointName(method, path, isList)).toBe(name);
});

test("every endpoint of the document has a unique name", ({ api }) => {
  const names = endpointsOf(createDocument(createApi(api))).map(({ operationId }) => operationId);
  expect(names.length).toBeGreaterThan(50);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+[A-Z][A-Za-z]+$/);
});
