// Says that the gateway is away, asks it again until it answers, and then refreshes what is shown.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { queries } from "../data/client.ts";

const ASK_EVERY_MS = 5_000;
const AGAIN_MS = 1_500;

export function ConnectionNote() {
  const { data: isThere = true } = useQuery({
    queryKey: ["alive"],
    queryFn: askGateway,
    refetchInterval: ({ state }) => (state.data === false ? AGAIN_MS : ASK_EVERY_MS),
    staleTime: 0,
  });
  const wasAway = useRef(false);
  useEffect(() => {
    if (isThere && wasAway.current)
      // A test of a target is not a read: asking it again would send another event.
      void queries.invalidateQueries({
        predicate: ({ queryKey }) => queryKey[0] !== "alive" && queryKey[0] !== "test",
      });
    wasAway.current = !isThere;
  }, [isThere]);
  if (isThere) return null;
  return (
    <p className="note bad" role="alert">
      The gateway does not answer. What you see is from before. The console goes on by itself.
    </p>
  );
}

async function askGateway(): Promise<boolean> {
  try {
    return (await fetch("/healthz", { signal: AbortSignal.timeout(4_000) })).ok;
  } catch {
    return false;
  }
}
