// The webhook of a static source at Gemini: how it was last seen, what differs, and what the relay can do about it.

import { ApiError } from "@sluice/client/api-error";
import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { queries, readPath, relay } from "../data/client.ts";
import type { SourceRow } from "../data/records.ts";
import { StateBadge } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatCount } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Ago, Moment } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";
import { SecretTable } from "../setup/secrets.tsx";
import { describeDrift, type DriftWords } from "./drift-words.ts";

type Upstream = Schemas["Upstream"];
type UpstreamCall = "register" | "check" | "rotate" | "heal" | "deregister";

const LOOK_EVERY_MS = 10_000;

/** @returns null while the source has no webhook at Gemini. */
async function readUpstream(id: string, signal: AbortSignal): Promise<Upstream | null> {
  try {
    return await readPath<Upstream>(`/v1/sources/${id}/upstream`, {}, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export function UpstreamPanel({ source: { id, name } }: { source: SourceRow }) {
  const upstream = useQuery({
    queryKey: ["upstream", id],
    queryFn: ({ signal }) => readUpstream(id, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  const [running, setRunning] = useState<UpstreamCall>();
  const [error, setError] = useState<unknown>();
  const [result, setResult] = useState<Schemas["UpstreamResult"]>();
  const [asked, setAsked] = useState<"rotate" | "deregister">();
  const call = async (step: UpstreamCall) => {
    const answer = await relay.ask("POST", `/v1/sources/${id}/upstream:${step}`);
    setResult(answer as Schemas["UpstreamResult"] | undefined);
    void queries.invalidateQueries();
  };
  const callNow = async (step: UpstreamCall) => {
    setRunning(step);
    setError(undefined);
    try {
      await call(step);
    } catch (failure) {
      setError(failure);
    }
    setRunning(undefined);
  };
  const button = (step: UpstreamCall, label: string) => (
    <ActionButton
      needs="write"
      kind={step === "register" && upstream.data === null ? "primary" : "plain"}
      isBusy={running === step}
      reason={running !== undefined && running !== step ? "Another call is under way." : undefined}
      call={{ method: "POST", path: `/v1/sources/${id}/upstream:${step}` }}
      onClick={() => void callNow(step)}
    >
      {label}
    </ActionButton>
  );
  const { data } = upstream;
  return (
    <Panel
      title="The webhook at Gemini"
      actions={
        data !== undefined && (
          <>
            {button("register", data === null ? "Let the relay register it" : "Register again")}
            {data !== null && (
              <>
                {button("check", "Check now")}
                {button("heal", "Heal")}
                <ActionButton needs="write" onClick={() => setAsked("rotate")}>
                  Rotate…
                </ActionButton>
                <ActionButton needs="write" kind="danger" onClick={() => setAsked("deregister")}>
                  Deregister…
                </ActionButton>
              </>
            )}
          </>
        )
      }
    >
      {upstream.error !== null && <ProblemNote error={upstream.error} onRetry={() => void upstream.refetch()} />}
      {running === "register" && <p className="muted">Asking Gemini, and waiting up to 20 s for the first event …</p>}
      {error !== undefined && <ProblemNote error={error} />}
      {result && <CallResult result={result} />}
      {data === null && (
        <p className="muted">
          The relay does not manage a webhook for this source. With a public address and a key of the Gemini API, it
          registers one, keeps its secret, and notices when Gemini stops sending.
        </p>
      )}
      {data && <UpstreamFacts upstream={data} />}
      {asked === "rotate" && (
        <ConfirmDialog
          title="Rotate the secret at Gemini"
          verb="Rotate"
          needs="write"
          call={{ method: "POST", path: `/v1/sources/${id}/upstream:rotate` }}
          onConfirm={() => call("rotate")}
          onClose={() => setAsked(undefined)}
        >
          <p>Gemini signs with the old and the new secret for 24 hours. The source gets the new one by itself.</p>
        </ConfirmDialog>
      )}
      {asked === "deregister" && <DeregisterDialog id={id} name={name} onClose={() => setAsked(undefined)} />}
    </Panel>
  );
}

function CallResult({ result: { steps, warnings, upstream } }: { result: Schemas["UpstreamResult"] }) {
  return (
    <div className={warnings.length > 0 || upstream.drift.length > 0 ? "note warn" : "note good"} role="status">
      <ul>
        {steps.map(({ step, detail }) => (
          <li key={step}>{detail}</li>
        ))}
        {warnings.map(({ code, detail }) => (
          <li key={code}>
            <strong>{code.replaceAll("_", " ")}</strong>: {detail}
          </li>
        ))}
      </ul>
    </div>
  );
}

function UpstreamFacts({ upstream }: { upstream: Upstream }) {
  const { state, drift, problem, under_way, requests } = upstream;
  return (
    <>
      {drift.length > 0 && (
        <ul className="note warn drift">
          {drift.map((one) => (
            <DriftLine key={one.code} {...describeDrift(one)} />
          ))}
        </ul>
      )}
      {problem !== null && (
        <p className="note bad">
          The last look failed <Ago at={problem.since} />: {problem.detail}
        </p>
      )}
      {under_way !== null && (
        <p className="note warn">
          Under way since <Moment at={under_way.began_at} />: {under_way.action}, {under_way.step.replaceAll("_", " ")}.
          A worker goes on with it.
        </p>
      )}
      <Facts
        facts={[
          ["State", state === null ? "not registered yet" : <StateBadge key="state" state={state} />],
          ["Differences", drift.length === 0 ? "none" : formatCount(drift.length)],
          ["Last check", <Ago key="checked" at={upstream.checked_at} />],
          ["Newest event", <Ago key="event" at={upstream.last_event_at} />],
          ["Events", upstream.subscribed_events.join(", "), "wide"],
          ["Address", <code key="uri">{upstream.uri}</code>, "wide"],
          ["Id at Gemini", upstream.webhook_id && <code key="id">{upstream.webhook_id}</code>, "wide"],
          [
            "Rotated by itself",
            upstream.rotate_every_days === null ? (
              "no"
            ) : (
              <span key="rotated">
                every {upstream.rotate_every_days} d, next <Ago at={upstream.next_rotation_at} />
              </span>
            ),
          ],
          ["Healed by itself", upstream.heal === "auto" ? "yes" : "no"],
          ["Requests this hour", `${formatCount(requests.this_hour)} of ${formatCount(requests.per_hour)}`],
        ]}
      />
      <OwnCare upstream={upstream} />
      {upstream.signing_secrets.length > 0 && (
        <section>
          <h3>Secrets that Gemini signs with</h3>
          <SecretTable secrets={upstream.signing_secrets} />
        </section>
      )}
    </>
  );
}

function DriftLine({ title, detail, todo }: DriftWords) {
  return (
    <li>
      <strong>{title}.</strong> {detail} {todo}
    </li>
  );
}

/** What the relay does by itself. */
function OwnCare({ upstream: { source, heal, rotate_every_days } }: { upstream: Upstream }) {
  const change = async (body: Schemas["UpstreamChange"]) => {
    await relay.ask("PATCH", `/v1/sources/${source}/upstream`, { body });
    say("Saved");
    void queries.invalidateQueries({ queryKey: ["upstream", source] });
  };
  const [error, setError] = useState<unknown>();
  const changeNow = (body: Schemas["UpstreamChange"]) => void change(body).catch(setError);
  return (
    <>
      <p className="row">
        <ActionButton needs="write" onClick={() => changeNow({ heal: heal === "auto" ? "off" : "auto" })}>
          {heal === "auto" ? "Stop healing by itself" : "Heal by itself"}
        </ActionButton>
        <ActionButton
          needs="write"
          onClick={() => changeNow({ rotate_every_days: rotate_every_days === null ? 30 : null })}
        >
          {rotate_every_days === null ? "Rotate every 30 days" : "Stop rotating by itself"}
        </ActionButton>
      </p>
      {error !== undefined && <ProblemNote error={error} />}
    </>
  );
}

function DeregisterDialog({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [keeps, setKeeps] = useState(false);
  const deregister = async () => {
    await relay.ask("POST", `/v1/sources/${id}/upstream:deregister`, { body: { keep_webhook: keeps } });
    say(keeps ? "The relay has forgotten the webhook" : "The webhook is deleted at Gemini");
    void queries.invalidateQueries();
  };
  return (
    <ConfirmDialog
      title="Deregister the webhook"
      verb="Deregister"
      needs="write"
      isDanger
      typed={name}
      onConfirm={deregister}
      onClose={onClose}
    >
      <p>Gemini sends nothing more to this source. Its secrets stay, because Gemini retries for a day.</p>
      <label className="choice">
        <input type="checkbox" checked={keeps} onChange={(event) => setKeeps(event.target.checked)} />
        <span>Only forget it: the webhook stays at Gemini, and goes on sending</span>
      </label>
    </ConfirmDialog>
  );
}
