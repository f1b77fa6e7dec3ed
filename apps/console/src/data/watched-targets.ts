// All targets with what is wrong with each, as the overview and the list of targets show it.

import { readWatchedTargets, type TargetTrouble } from "@sluice/client/target-trouble";
import { useQuery } from "@tanstack/react-query";

import { relay } from "./client.ts";
import { relayNow } from "./clock.ts";

const LOOK_EVERY_MS = 15_000;

export function useWatchedTargets() {
  return useQuery({
    queryKey: ["watched-targets"],
    queryFn: () => readWatchedTargets(relay, relayNow()),
    refetchInterval: LOOK_EVERY_MS,
  });
}

/** Undefined while the target is well, and until it is known. */
export function useTrouble(id: string): TargetTrouble | undefined {
  return useWatchedTargets().data?.find(({ target }) => target.id === id)?.trouble;
}
