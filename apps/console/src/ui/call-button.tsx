// A button that calls the API at once. What the relay answers to a call that failed stands in a dialog until somebody has read it.

import { useState } from "react";

import { relay } from "../data/client.ts";
import type { ChangeCall } from "../data/curl.ts";
import { ActionButton, type ActionButtonProps } from "./button.tsx";
import { Modal } from "./dialog.tsx";
import { ProblemNote } from "./problem.tsx";
import { say } from "./toast.tsx";

interface CallButtonProps extends Omit<ActionButtonProps, "onClick" | "type" | "isBusy" | "call"> {
  call: ChangeCall;
  /** What is said once it is done. */
  done: string;
  onDone: () => Promise<unknown>;
}

export function CallButton({ call, done, onDone, ...button }: CallButtonProps) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await relay.ask(call.method, call.path, { body: call.body });
      say(done);
      await onDone();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <>
      <ActionButton {...button} call={call} isBusy={isBusy} onClick={() => void run()} />
      {error !== undefined && (
        <Modal title="It was not done" onClose={() => setError(undefined)}>
          <ProblemNote error={error} onRetry={() => void run()} />
          <footer className="row end">
            <button type="button" onClick={() => setError(undefined)}>
              Cancel
            </button>
          </footer>
        </Modal>
      )}
    </>
  );
}
