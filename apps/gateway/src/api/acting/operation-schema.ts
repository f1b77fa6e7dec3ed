// How the API shows an operation, which retries or cancels many deliveries, or replays many events.

import { z } from "@hono/zod-openapi";

import { exampleId, formatId, idTime } from "@sluice/shared/domain/ids";
import type { OperationRecord } from "@sluice/store/delivery/operations";
import type { ReplayState } from "@sluice/store/schema";

import { keyUse } from "../access/key-use.ts";
import { idField, orNull } from "../openapi/endpoint.ts";

const OPERATION_STATES = ["running", "succeeded", "cancelled", "failed"] as const;

const count = (description: string) => z.int().openapi({ description, example: 0 });

export const replayCounts = z
  .object({
    matched: z.int().openapi({ description: "The number of events that match every filter, `filter` included" }),
    targets: z
      .array(
        z
          .object({
            target: idField("tgt"),
            created: z.int().openapi({
              description: "Events that the target gets for the first time",
              example: 1_200,
            }),
            retried: count("Events whose finished delivery is due again, because `again` is true"),
            skipped: count("Events of which the target has a delivery that is left as it is"),
            not_matched: count("Events that the target's subscription or filter does not match"),
            filter_errors: count("Events on which the target's filter failed. The target does not get them."),
            left_out: count(
              "Events that the target does not get because their body was removed, or because it was disabled or deleted, " +
                "or the event passed its retention, during the operation",
            ),
          })
          .openapi("ReplayedToTarget"),
      )
      .openapi({ description: "For each target, what became of the events. The numbers add up to `matched`." }),
    first_filter_error: z
      .object({
        event: idField("evt"),
        target: idField("tgt").nullable().openapi({
          description: "The target whose filter failed. Null when `filter` of the request failed.",
          example: null,
        }),
        error: z.string().openapi({ example: "No such key: error_code" }),
      })
      .openapi("FirstFilterError")
      .apply(orNull)
      .openapi({ description: "The first failure of a filter", example: null }),
  })
  .openapi("ReplayCounts");

export function showReplay({ matched, targets, first_filter_error: first }: ReplayState) {
  return {
    matched,
    targets: targets.map((tally) => ({ ...tally, target: formatId("tgt", tally.target) })),
    first_filter_error: first && {
      event: formatId("evt", first.event),
      target: first.target && formatId("tgt", first.target),
      error: first.error,
    },
  };
}

export const operationSchema = z
  .object({
    id: idField("opr"),
    kind: z.enum(["retry_deliveries", "cancel_deliveries", "replay_events"]).openapi("OperationKind"),
    state: z.enum(OPERATION_STATES).openapi("OperationState", {
      description:
        "succeeded: the operation went through everything that matches. failed: it was given up after ten failed " +
        "steps in a row, or because no target of a replay was left, and `error` says why. cancelled: a caller stopped " +
        "it. What it did before its end stays done.",
    }),
    filter: z.record(z.string(), z.unknown()).openapi({
      description:
        "The request as the caller gave it: the filters, and what else is in its body. A retry always shows its `status`.",
      example: { target: exampleId("tgt"), status: ["exhausted"] },
    }),
    total: z
      .int()
      .nullable()
      .openapi({
        description:
          "The number of deliveries that match, counted before the first is changed. Null until they are counted. A " +
          "delivery that changes after the count may no longer match, so `done` and `failed` may add up to less. For a " +
          "replay: the number of events that match the filters of the log.",
        example: 2_000,
      }),
    done: z.int().openapi({
      description:
        "The number of deliveries that were made due, or cancelled. For a replay: the number of events that it went " +
        "through, and `replay` says what became of them.",
      example: 500,
    }),
    failed: z.int().openapi({
      description:
        "The number of deliveries that were left as they are, because a worker held the delivery, it changed at that " +
        "moment, its target was deleted, or the body of its event was removed. For a replay: the number of events on which `filter` failed.",
      example: 0,
    }),
    replay: orNull(replayCounts).openapi({
      description: "What a replay did so far. Null for the other kinds.",
      example: null,
    }),
    error: z.string().nullable().openapi({ description: "The error of the last step. Null when that step succeeded." }),
    created_at: z.string().openapi({ format: "date-time" }),
    created_by: keyUse,
    finished_at: z.string().nullable().openapi({ format: "date-time" }),
  })
  .openapi("Operation");

export function showOperation(operation: OperationRecord): z.infer<typeof operationSchema> {
  const { id, kind, state, given, isCounted, total, done, failed, replay, error, keyId, keyName, finishedAt } =
    operation;
  return {
    id: formatId("opr", id),
    kind,
    state,
    filter: given,
    total: isCounted ? total : null,
    done,
    failed,
    replay: replay && showReplay(replay),
    error,
    created_at: new Date(idTime(id)).toISOString(),
    created_by: { key: keyId === null ? null : formatId("key", keyId), name: keyName },
    finished_at: finishedAt?.toISOString() ?? null,
  };
}
