// An error as a person needs it: what happened, at which field, under which request id, and a way to try again.

import { ApiError, NoAnswerError } from "@sluice/client/api-error";

import { CopyButton } from "./copy.tsx";

interface ProblemProps {
  error: unknown;
  onRetry?: (() => void) | undefined;
  /** Names of fields whose faults are shown at the field itself. */
  shownElsewhere?: readonly string[];
}

export function ProblemNote({ error, onRetry, shownElsewhere = [] }: ProblemProps) {
  const api = error instanceof ApiError ? error : undefined;
  const faults = api?.errors.filter(({ pointer }) => !shownElsewhere.includes(fieldOf(pointer))) ?? [];
  const isAllElsewhere = faults.length === 0 && (api?.errors.length ?? 0) > 0;
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{titleOf(error)}</strong> {isAllElsewhere ? "The marked fields say what is wrong." : problemText(error)}
      </p>
      {faults.length > 0 && (
        <ul>
          {faults.map(({ pointer, detail }) => (
            <li key={pointer + detail}>
              <code>{pointer}</code> {detail}
            </li>
          ))}
        </ul>
      )}
      <p className="row">
        {api !== undefined && <code>{api.code}</code>}
        {api?.requestId !== undefined && (
          <span className="muted">
            request <code>{api.requestId}</code> <CopyButton text={api.requestId} what="the request id" />
          </span>
        )}
        {onRetry !== undefined && !isAllElsewhere && (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        )}
      </p>
    </div>
  );
}

/** The sentence of an error. */
function problemText(error: unknown): string {
  if (error instanceof ApiError) return error.detail;
  if (error instanceof NoAnswerError) return "The gateway did not answer. The console tries again by itself.";
  return error instanceof Error ? error.message : String(error);
}

function titleOf(error: unknown): string {
  if (error instanceof NoAnswerError) return "No answer.";
  if (!(error instanceof ApiError)) return "Not done.";
  const { status } = error;
  if (status === 403) return "Not allowed.";
  if (status === 404) return "Not found.";
  if (status === 412) return "It has changed.";
  if (status === 429) return "Too many requests.";
  return status >= 500 ? "The relay failed." : "Refused.";
}

/** The name of the field that a JSON pointer of a fault leads to: `/filter` and `?since` name `filter` and `since`. */
const fieldOf = (pointer: string): string => /^[/?]([^/]*)/.exec(pointer)?.[1] ?? pointer;

/** The fault of one field; undefined when the error does not name it. */
export function faultOf(error: unknown, field: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const faults = error.errors.filter(({ pointer }) => fieldOf(pointer) === field);
  return faults.length === 0 ? undefined : faults.map(({ detail }) => detail).join("; ");
}

/**
 * The fault at a place inside a field; undefined when the error does not name it.
 * @param pointer a JSON pointer such as `/retry/base_seconds`. Faults below it count.
 */
export function faultUnder(error: unknown, pointer: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const faults = error.errors.filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
  return faults.length === 0 ? undefined : faults.map(({ detail }) => detail).join("; ");
}
