// The text of an attempt's details is read as it was written, and is short.

import { expect, test } from "vitest";

import { formatId } from "@sluice/shared/domain/ids";

import { type AttemptDetails, unpackDetails, packDetails } from "./attempt-details.ts";

const EVENT = "01982a3b-0000-7000-8000-000000000001";
const DELIVERY = "01982a3b-0000-7000-8000-000000000002";

const facts = {
  deliveryId: DELIVERY,
  number: 3,
  startedAt: new Date(1_769_083_200_999),
  eventId: EVENT,
  webhookId: "msg_1",
};
const usual: AttemptDetails = {
  url: "http://billing.internal/hooks",
  isWebhook: true,
  address: "10.0.4.17:80",
  connectMs: 0.123,
  firstByteMs: 4.5678,
  trace: { traceId: "a".repeat(32), spanId: "b".repeat(16), isSampled: false, state: "rojo=1, congo=2" },
  requestHeaders: {},
  responseHeaders: { "content-type": "text/plain", "x-odd": "a: b: \u00fc", "x-empty": "" },
};

test("what was written is read, with the headers that follow from the attempt", () => {
  const details = packDetails({ ...usual, requestHeaders: { "user-agent": "[redacted]", "x-tenant": "[redacted]" } });
  expect(unpackDetails({ ...facts, details })).toEqual({
    ...usual,
    connectMs: 0.12,
    firstByteMs: 4.57,
    requestHeaders: {
      "user-agent": "[redacted]",
      "content-type": "application/json",
      "webhook-id": "msg_1",
      "webhook-timestamp": "1769083200",
      "sluice-event-id": formatId("evt", EVENT),
      "sluice-delivery-id": formatId("dlv", DELIVERY),
      "sluice-attempt": "3",
      "x-tenant": "[redacted]",
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00`,
      tracestate: "rojo=1, congo=2",
    },
  });
});

test("an attempt that got no connection says so, also when its delivery is past its retention", () => {
  const none = { trace: null, address: null, connectMs: null, firstByteMs: null, responseHeaders: null };
  const details = packDetails({ ...usual, ...none });
  expect(details).toBe("http://billing.internal/hooks\n  \n");
  const read = unpackDetails({ ...facts, details, eventId: null, webhookId: null });
  expect(read).toMatchObject(none);
  expect(Object.keys(read?.requestHeaders ?? {})).not.toContain("webhook-id");
});

test("the message of a chat target has none of the headers of a webhook", () => {
  const details = packDetails({ ...usual, isWebhook: false, trace: null, address: null, firstByteMs: null });
  expect(unpackDetails({ ...facts, details })).toMatchObject({
    isWebhook: false,
    address: null,
    connectMs: 0.12,
    firstByteMs: null,
    requestHeaders: { "user-agent": "sluice", "content-type": "application/json" },
  });
  expect(Object.keys(unpackDetails({ ...facts, details })?.requestHeaders ?? {})).toHaveLength(2);
});

test("a response without headers is a response", () => {
  const read = unpackDetails({ ...facts, details: packDetails({ ...usual, responseHeaders: {} }) });
  expect(read).toMatchObject({ address: "10.0.4.17:80", responseHeaders: {} });
});

test("an attempt of an earlier version has no details", () => {
  expect(unpackDetails({ ...facts, details: null })).toBeUndefined();
});
