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

/** How the connection is, in one line that always has its place: a line that comes and goes would move the rows. */
export function TailSentence({ status, hasGap }: { status: TailStatus; hasGap: boolean }) {
  const { zone } = useTaste();
  if (status.kind === "lost") {
    return (
      <span className="warn-text">
        The connection is lost, and is made again. What happens meanwhile comes afterwards.
      </span>
    );
  }
  if (status.kind === "waiting") {
    return <span className="warn-text">{status.detail} The console tries again by itself.</span>;
  }
  if (status.kind !== "open" || status.again === undefined || hasGap) return null;
  return (
    <span className="good-text">
      The connection was lost, and is back since {formatTime(status.again, zone, relayNow())}. Nothing was missed.
    </span>
  );
}

/** What ended the tail, or left something out of it. */
export function TailProblem({ status, hasGap, onAgain }: { status: TailStatus; hasGap: boolean; onAgain: () => void }) {
  return (
    <>
      {hasGap && (
        <p className="note warn" role="alert">
          The tail was away for more than 23 hours and began anew. What happened meanwhile is in{" "}
          <Link to="/events">the events</Link> and <Link to="/deliveries">the deliveries</Link>.
        </p>
      )}
      {status.kind === "refused" && (
        <p className="note bad row" role="alert">
          The relay refuses the tail: {status.detail}
          <button type="button" onClick={onAgain}>
            Try again
          </button>
        </p>
      )}
    </>
  );
}
