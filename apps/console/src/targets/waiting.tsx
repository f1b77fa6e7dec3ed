// What waits for each target now.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import type { Schemas } from "@sluice/client/client";
import { relay } from "../data/client.ts";
import { formatCount } from "../ui/format.ts";
import { Ago } from "../ui/time.tsx";

type Waiting = Schemas["WaitingDeliveries"];

const LOOK_EVERY_MS = 5_000;

/** By target; targets for which nothing waits are missing. Undefined until the relay has answered. */
function useWaiting(): ReadonlyMap<string, Waiting> | undefined {
  const { data } = useQuery({
    queryKey: ["waiting"],
    queryFn: async ({ signal }) => {
      // The figures of one day are the smallest answer; only what waits now is read of it.
      const { now } = await relay.get("/v1/stats", { params: { query: { interval: "day" } }, signal });
      return new Map(now.waiting.map((one) => [one.target, one]));
    },
    refetchInterval: LOOK_EVERY_MS,
  });
  return data;
}

export function WaitingCount({ target }: { target: string }) {
  const waiting = useWaiting();
  if (waiting === undefined) return <span className="muted">…</span>;
  const count = waiting.get(target)?.count ?? 0;
  return count === 0 ? <span className="muted">0</span> : formatCount(count);
}

/** What waits for a target, as a link to the list of it. */
export function WaitingNow({ target }: { target: string }) {
  const waiting = useWaiting();
  if (waiting === undefined) return <span className="muted">…</span>;
  const found = waiting.get(target);
  if (found === undefined) return <>nothing</>;
  return (
    <>
      <Link to="/deliveries" search={{ target, status: "pending" }}>
        {formatCount(found.count)}
      </Link>{" "}
      <span className="muted">
        the oldest since <Ago at={found.oldest_created_at} />
      </span>
    </>
  );
}
