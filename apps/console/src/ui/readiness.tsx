// Whether the relay takes and delivers events, in words: one sentence, and each problem with its age.

import type { SystemState } from "../data/system.ts";
import { Ago } from "./time.tsx";

const SENTENCES: Record<SystemState["status"], string> = {
  ready: "The relay takes events and delivers them.",
  degraded: "The relay takes events, and something is wrong.",
  not_ready: "The relay takes no events now. Senders are told to come back.",
  stopping: "This gateway is about to stop. Another one takes over, or the same after its restart.",
};

const TONES: Record<SystemState["status"], string> = {
  ready: "good",
  degraded: "warn",
  not_ready: "bad",
  stopping: "warn",
};

export function ReadinessNote({ system }: { system: SystemState }) {
  const { status, problems, workers } = system;
  // Without a worker, the gateway is well and nothing is delivered.
  const isIdle = workers === 0;
  return (
    <div className={`note readiness ${isIdle && status === "ready" ? "bad" : TONES[status]}`} role="status">
      <p>
        <strong>
          {isIdle && status === "ready" ? "The relay takes events, and no worker delivers them." : SENTENCES[status]}
        </strong>
      </p>
      {problems.length > 0 && (
        <ul>
          {problems.map(({ app, check, problem, since }) => (
            <li key={app + check + problem}>
              {app}, {check}: {problem}
              {since !== null && (
                <>
                  {" "}
                  (began <Ago at={since} />)
                </>
              )}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
