// An operation on many deliveries as the API shows it.

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
        "succeeded: it went through all that match. failed: it was given up after ten steps in a row that failed, and " +
        "`error` says why. Whatever was done before an end stays done.",
    }),
    filter: z.record(z.string(), z.unknown()).openapi({
      description: "As given, with the `status` of a retry",
      example: { target: "tgt_01h455vb4pex5vsknk084sn02q", status: ["exhausted"] },
    }),
    total: z
      .int()
      .nullable()
      .openapi({
        description:
          "How many match, counted before anything is done; null until then. What changes meanwhile may match no more, so " +
          "that fewer are done than were counted.",
        example: 2_000,
      }),
    done: z.int().openapi({ description: "Made due, or cancelled", example: 500 }),
    failed: z.int().openapi({
      description:
        "Left as they are: a worker had the delivery in hand, it changed at that moment, or its target was deleted",
      example: 0,
    }),
    error: z.string().nullable().openapi({ description: "Of the last step, when that failed" }),
    created_at: z.string().openapi({ format: "date-time" }),
    created_by: z.object({
      key: z
        .string()
        .nullable()
        .openapi({ description: "Null for the key of the environment", example: "key_01h455vb4pex5vsknk084sn02q" }),
      name: z.string().openapi({ description: "Of the key, as it was called then" }),
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
