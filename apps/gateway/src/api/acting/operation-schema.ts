// How the API shows an operation, which retries or cancels many deliveries.

import { z } from "@hono/zod-openapi";

import { formatId, idTime } from "@sluice/shared/domain/ids";
import type { OperationRecord } from "@sluice/store/delivery/operations";

export const OPERATION_STATES = ["running", "succeeded", "cancelled", "failed"] as const;

export const operationSchema = z
  .object({
    id: z.string().openapi({ example: "opr_01h455vb4pex5vsknk084sn02q" }),
    kind: z.enum(["retry_deliveries", "cancel_deliveries"]),
    state: z.enum(OPERATION_STATES).openapi({
      description:
        "succeeded: the operation went through all deliveries that match. failed: it was given up after ten failed " +
        "steps in a row, and `error` says why. cancelled: a caller stopped it. What it did before its end stays " +
        "done.",
    }),
    filter: z.record(z.string(), z.unknown()).openapi({
      description: "The filters as the caller gave them. A retry always shows its `status`.",
      example: { target: "tgt_01h455vb4pex5vsknk084sn02q", status: ["exhausted"] },
    }),
    total: z
      .int()
      .nullable()
      .openapi({
        description:
          "The number of deliveries that match, counted before the first is changed. Null until they are counted. A " +
          "delivery that changes after the count may no longer match, so `done` and `failed` may add up to less.",
        example: 2_000,
      }),
    done: z.int().openapi({ description: "The number of deliveries that were made due, or cancelled", example: 500 }),
    failed: z.int().openapi({
      description:
        "The number of deliveries that were left as they are, because a worker held the delivery, it changed at that " +
        "moment, or its target was deleted",
      example: 0,
    }),
    error: z.string().nullable().openapi({ description: "The error of the last step. Null when that step succeeded." }),
    created_at: z.string().openapi({ format: "date-time" }),
    created_by: z.object({
      key: z.string().nullable().openapi({
        description: "The id of the API key. Null for the key from `ADMIN_API_KEY`.",
        example: "key_01h455vb4pex5vsknk084sn02q",
      }),
      name: z.string().openapi({ description: "The name of the key at that time" }),
    }),
    finished_at: z.string().nullable().openapi({ format: "date-time" }),
  })
  .openapi("Operation");

export function showOperation(operation: OperationRecord): z.infer<typeof operationSchema> {
  const { id, kind, state, given, isCounted, total, done, failed, error, keyId, keyName, finishedAt } = operation;
  return {
    id: formatId("opr", id),
    kind,
    state,
    filter: given,
    total: isCounted ? total : null,
    done,
    failed,
    error,
    created_at: new Date(idTime(id)).toISOString(),
    created_by: { key: keyId === null ? null : formatId("key", keyId), name: keyName },
    finished_at: finishedAt?.toISOString() ?? null,
  };
}
