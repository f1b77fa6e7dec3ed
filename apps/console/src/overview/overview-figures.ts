// The figures of the overview, each asked once for all that show it.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";

import { readPath } from "../data/client.ts";
import { resolveTimes } from "../data/time-range.ts";
import type { ChartRange } from "./chart-range.ts";

const LOOK_EVERY_MS = 15_000;

function useFigures<Answer>(path: string, query: object) {
  return useQuery({
    queryKey: ["figures", path, query],
    queryFn: ({ signal }) => readPath<Answer>(path, resolveTimes(query), signal),
    refetchInterval: LOOK_EVERY_MS,
  });
}

/** @param target only what belongs to this target. */
export const useStats = (
  { since, interval }: Pick<ChartRange, "since" | "interval">,
  groupBy: "none" | "event_type",
  target?: string,
) =>
  useFigures<Schemas["Stats"]>("/v1/stats", {
    group_by: groupBy,
    interval,
    since,
    ...(target !== undefined && { target }),
  });

export const useWaitingStats = ({ since, interval }: ChartRange) =>
  useFigures<Schemas["WaitingStats"]>("/v1/stats/waiting", { interval, since, targets: String(MOST_TARGETS) });

/** More lines than these cannot be told apart. */
const MOST_TARGETS = 4;

/** The refused requests of a day. */
export const useRejected = () => useFigures<Schemas["RejectionStats"]>("/v1/stats/rejections", { since: "-24h" });
