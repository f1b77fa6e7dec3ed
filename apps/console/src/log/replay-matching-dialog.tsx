// Sends all events that match the filters of the list to chosen targets: first counted for each target, then confirmed, then an
// operation.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { relay } from "../data/client.ts";
import { useTargetRows } from "../data/names.tsx";
import type { SearchParams } from "../data/search-params.ts";
import { ConfirmDialog, TYPED_ABOVE } from "../ui/confirm.tsx";
import { FormField } from "../ui/field.tsx";
import { formatCount, plural } from "../ui/format.ts";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { readBulkFilter } from "./bulk-filter.ts";
import { SentFilter } from "./sent-filter.tsx";

type Preview = Schemas["ReplayPreview"];

const PATH = "/v1/events:replay";
const callReplay = (body: object): Promise<unknown> => relay.ask("POST", PATH, { body });

interface ReplayMatchingProps {
  search: SearchParams;
  onClose: () => void;
}

export function ReplayMatchingDialog({ search, onClose }: ReplayMatchingProps) {
  const navigate = useNavigate();
  // Times are fixed when the dialog opens: what is counted is what is sent.
  const [filter] = useState(() => readBulkFilter(search));
  const [targets, setTargets] = useState<string[]>([]);
  const [again, setAgain] = useState(false);
  const [matchesOnly, setMatchesOnly] = useState(true);
  const [typed, setTyped] = useState("");
  const [expression, setExpression] = useState("");
  const body = {
    ...filter,
    targets,
    again,
    match_subscription: matchesOnly,
    ...(expression !== "" && { filter: expression }),
  };
  const counted = useQuery({
    queryKey: ["bulk", "replay", body],
    queryFn: () => callReplay({ ...body, dry_run: true }) as Promise<Preview>,
    enabled: targets.length > 0,
    staleTime: 0,
    gcTime: 0,
  });
  const { data, error } = counted;
  const sent = data === undefined ? 0 : countSent(data);
  const fault = faultUnder(error, "/filter");
  const start = async () => {
    const operation = (await callReplay(body)) as Schemas["Operation"];
    await navigate({ to: `/operations/${operation.id}`, search: {} });
  };
  return (
    <ConfirmDialog
      title="Replay all events that match"
      verb={data === undefined ? "Replay" : `Make ${plural(sent, "delivery", "deliveries")}`}
      needs="write"
      isWide
      typed={sent > TYPED_ABOVE ? String(sent) : undefined}
      reason={whyNoReplay(targets, expression !== typed.trim(), data)}
      call={{ method: "POST", path: PATH, body }}
      onConfirm={start}
      onClose={onClose}
    >
      <TargetChoices chosen={targets} onChange={setTargets} />
      <label className="choice">
        <input type="checkbox" checked={matchesOnly} onChange={(event) => setMatchesOnly(event.target.checked)} />
        <span>Only what the subscription and the filter of each target match</span>
      </label>
      <label className="choice">
        <input type="checkbox" checked={again} onChange={(event) => setAgain(event.target.checked)} />
        <span>Also what a target has had already</span>
      </label>
      <FormField
        label="Filter (optional)"
        hint="A CEL expression: only the events for which it is true are replayed."
        fault={fault}
      >
        <input
          value={typed}
          spellCheck={false}
          autoComplete="off"
          placeholder={'event.type == "batch.failed"'}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={() => setExpression(typed.trim())}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            // Enter counts anew, and sends nothing.
            event.preventDefault();
            setExpression(typed.trim());
          }}
        />
      </FormField>
      {error !== null && fault === undefined && <ProblemNote error={error} onRetry={() => void counted.refetch()} />}
      {targets.length > 0 && counted.isFetching && (
        <p className="muted" role="status">
          Counting what matches …
        </p>
      )}
      {data !== undefined && !counted.isFetching && <ReplayCounts preview={data} />}
      <SentFilter filter={body} />
    </ConfirmDialog>
  );
}

const countSent = ({ targets }: Preview): number =>
  targets.reduce((sum, { created, retried }) => sum + created + retried, 0);

function whyNoReplay(targets: readonly string[], isTyping: boolean, preview: Preview | undefined): string | undefined {
  if (targets.length === 0) return "Choose a target.";
  if (isTyping || preview === undefined) return "Wait until it is counted.";
  return countSent(preview) === 0 ? "No target would get anything." : undefined;
}

interface TargetChoicesProps {
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

/** A disabled target gets nothing, so it stays in sight and cannot be chosen. */
function TargetChoices({ chosen, onChange }: TargetChoicesProps) {
  const targets = useTargetRows();
  return (
    <fieldset className="choices">
      <legend>Targets</legend>
      {targets.length === 0 && <p className="hint">There is none yet.</p>}
      {targets.map(({ id, name, state }) => {
        const isDisabled = state !== "enabled" && state !== "paused";
        return (
          <label key={id}>
            <input
              type="checkbox"
              disabled={isDisabled}
              checked={chosen.includes(id)}
              onChange={({ target: { checked } }) =>
                onChange(checked ? [...chosen, id] : chosen.filter((one) => one !== id))
              }
            />{" "}
            {name}
            {isDisabled && <span className="muted"> (disabled)</span>}
            {state === "paused" && <span className="muted"> (paused: gets them when it is resumed)</span>}
          </label>
        );
      })}
    </fieldset>
  );
}

function ReplayCounts({ preview }: { preview: Preview }) {
  const { total, matched, failed, complete, targets, first_filter_error: first } = preview;
  const byId = new Map(useTargetRows().map(({ id, name }) => [id, name]));
  return (
    <div className="stack" role="status">
      <p>
        <strong>
          {complete ? "" : "At least "}
          {plural(matched, "event")}
        </strong>{" "}
        of {formatCount(total)} {complete ? "would be replayed" : "(counting took too long, and was stopped)"}
        {failed > 0 && <span className="bad-text"> · the filter failed on {formatCount(failed)}</span>}
      </p>
      <table className="plain" aria-label="What each target would get">
        <thead>
          <tr>
            <th scope="col">Target</th>
            <th scope="col">New</th>
            <th scope="col">Again</th>
            <th scope="col">Left</th>
          </tr>
        </thead>
        <tbody>
          {targets.map(({ target, created, retried, skipped, not_matched, filter_errors, left_out }) => (
            <tr key={target}>
              <td>{byId.get(target) ?? target}</td>
              <td className="number">{formatCount(created)}</td>
              <td className="number">{formatCount(retried)}</td>
              <td className="number">{formatCount(skipped + not_matched + filter_errors + left_out)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {first !== null && <p className="note warn">The first filter that failed: {first.error}</p>}
    </div>
  );
}
