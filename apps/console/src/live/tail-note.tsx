// How the connection of the tail is: connected, lost, back again with nothing missed, or refused.

import { Link } from "@tanstack/react-router";

import { useTaste } from "../data/taste.ts";
import { relayNow } from "../data/clock.ts";
import { StateBadge } from "../ui/badge.tsx";
import { formatTime } from "../ui/format.ts";
import type { TailStatus } from "./tail-hub.ts";

const WORDS: Record<TailStatus["kind"], string> = {
  connecting: "connecting",
  open: "connected",
  lost: "reconnecting",
  waiting: "waiting",
  refused: "ended",
};

const TONES = { connecting: "busy", open: "good", lost: "warn", waiting: "warn", refused: "bad" } as const;

export function TailBadge({ status: { kind } }: { status: TailStatus }) {
  return <StateBadge state={WORDS[kind]} tone={TONES[kind]} />;
}

/** In words, for all who look and listen; nothing while all is as it should be. */
export function TailNote({ status, hasGap, onAgain }: { status: TailStatus; hasGap: boolean; onAgain: () => void }) {
  const { zone } = useTaste();
  return (
    <div role="status">
      {hasGap && (
        <p className="note warn">
          The tail was away for more than 23 hours and began anew. What happened meanwhile is in{" "}
          <Link to="/events">the events</Link> and <Link to="/deliveries">the deliveries</Link>.
        </p>
      )}
      {status.kind === "lost" && (
        <p className="note warn">The connection is lost, and is made again. What happens meanwhile comes afterwards.</p>
      )}
      {status.kind === "open" && status.again !== undefined && !hasGap && (
        <p className="note good">
          The connection was lost, and is back since {formatTime(status.again, zone, relayNow())}. Nothing was missed.
        </p>
      )}
      {status.kind === "waiting" && <p className="note warn">{status.detail} The console tries again by itself.</p>}
      {status.kind === "refused" && (
        <p className="note bad row">
          The relay refuses the tail: {status.detail}
          <button type="button" onClick={onAgain}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}
