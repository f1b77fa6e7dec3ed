// How Gemini is pointed at a source: its address, the code, and what is still missing.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { readPath } from "../data/client.ts";
import type { EventRow, SourceRow } from "../data/records.ts";
import { useSystem } from "../data/system.ts";
import { CopyButton } from "../ui/copy.tsx";
import { Panel } from "../ui/facts.tsx";
import { Ago } from "../ui/time.tsx";
import { jobSnippets, registerSnippets } from "./source-snippets.ts";
import { SnippetTabs } from "./snippet-tabs.tsx";

const LOOK_EVERY_MS = 5_000;

export function ConnectPanel({ source }: { source: SourceRow }) {
  const { data: system } = useSystem();
  const publicUrl = system?.gateway.public_url ?? null;
  const newest = useQuery({
    queryKey: ["newest-event", source.id],
    queryFn: async ({ signal }) =>
      (await readPath<{ data: EventRow[] }>("/v1/events", { source: source.id, limit: "1" }, signal)).data[0] ?? null,
    refetchInterval: LOOK_EVERY_MS,
  });
  const hasEvent = newest.data !== null && newest.data !== undefined;
  const isDynamic = source.kind === "dynamic";
  const url = `${publicUrl ?? "https://your-public-address"}${source.ingress_path}`;
  return (
    <Panel title="Point Gemini at it">
      <ul className="setup-steps" aria-label="What is set up">
        <SetupStep
          isDone={publicUrl?.startsWith("https:") === true}
          isKnown={system !== undefined}
          done="The public address is set."
        >
          <code>PUBLIC_URL</code> is {publicUrl === null ? "not set" : "no https address, and Gemini calls no other"}.
          Set it on every gateway to the https address at which Gemini reaches the ingress port.
        </SetupStep>
        {isDynamic ? (
          <SetupStep isDone={source.schemes.length > 0} done="Google’s public keys verify what arrives.">
            The source accepts no scheme. Edit it.
          </SetupStep>
        ) : (
          <SetupStep isDone={source.signing_secrets.length > 0} done="The source has a signing secret.">
            The source has no signing secret, so it asks Gemini to come back. Register the webhook below, or at Gemini
            by hand, and give the source the secret that Gemini shows.
          </SetupStep>
        )}
        <SetupStep
          isDone={hasEvent}
          isKnown={newest.data !== undefined}
          done={
            newest.data && (
              <>
                The newest event arrived <Ago at={newest.data.received_at} />:{" "}
                <Link to={`/events/${newest.data.id}`}>{newest.data.type ?? "no type"}</Link>.
              </>
            )
          }
        >
          No event has arrived yet. This page notices when the first comes.
        </SetupStep>
      </ul>
      {isDynamic ? (
        <>
          <p className="muted">
            Make a callback URL for each job below, and name it when the job starts. A job that names its own URL does
            not call the registered webhooks.
          </p>
          <SnippetTabs snippets={jobSnippets("THE_CALLBACK_URL")} />
        </>
      ) : (
        <>
          <p className="address">
            <code>{url}</code> <CopyButton text={url} what="the address" />
          </p>
          <details className="examples" open={!hasEvent && source.upstream === null}>
            <summary>Register it by hand</summary>
            <SnippetTabs snippets={registerSnippets(url)} />
          </details>
        </>
      )}
    </Panel>
  );
}

interface SetupStepProps {
  isDone: boolean;
  /** False while it is being asked. */
  isKnown?: boolean;
  done: ReactNode;
  /** What to do while it is not done. */
  children: ReactNode;
}

function SetupStep({ isDone, isKnown = true, done, children }: SetupStepProps) {
  if (!isKnown) return <li className="setup-step muted">…</li>;
  return (
    <li className={isDone ? "setup-step done" : "setup-step"}>
      <span className="mark" role="img" aria-label={isDone ? "done" : "missing"}>
        {isDone ? "✓" : "!"}
      </span>
      <span>{isDone ? done : children}</span>
    </li>
  );
}
