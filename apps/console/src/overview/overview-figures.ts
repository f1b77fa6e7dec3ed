// The figures of the overview, each asked once for all that show it.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";

import { readPath, relay } from "../data/client.ts";
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

export function useTargets() {
  return useQuery({
    queryKey: ["overview", "targets"],
    queryFn: async () => {
      const targets: Schemas["Target"][] = [];
      for await (const target of relay.list("/v1/targets")) targets.push(target);
      return targets;
    },
    refetchInterval: LOOK_EVERY_MS,
  });
}

/** As many rejections as one answer has. */
const MOST_COUNTED = "250";

/** The refused requests of a day. It is a lower bound when they do not fit into one answer. */
export function useRejected() {
  return useQuery({
    queryKey: ["overview", "rejected"],
    queryFn: async ({ signal }) => {
      const query = resolveTimes({ since: "-24h", limit: MOST_COUNTED });
      const { data, next_cursor } = await readPath<Schemas["RejectionPage"]>("/v1/rejections", query, signal);
      return { count: data.reduce((sum, { count }) => sum + count, 0), isComplete: next_cursor === null };
    },
    refetchInterval: LOOK_EVERY_MS,
  });
}
