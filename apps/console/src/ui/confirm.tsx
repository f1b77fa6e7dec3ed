// Asks before something that cannot be taken back, or that touches many. A large one is confirmed by typing its count.

import { type ReactNode, useState } from "react";

import type { NeededScope } from "../data/session.ts";
import type { ChangeCall } from "../data/curl.ts";
import { ActionButton } from "./button.tsx";
import { CopyCurl } from "./copy.tsx";
import { Modal } from "./dialog.tsx";
import { FormField } from "./field.tsx";
import { ProblemNote } from "./problem.tsx";

/** Above this number of things that are changed, the number is typed. */
export const TYPED_ABOVE = 100;

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** The verb on the button: "Delete". */
  verb: string;
  needs: NeededScope;
  isDanger?: boolean;
  isWide?: boolean;
  /** What has to be typed before the button works. */
  typed?: string | undefined;
  /** Why it cannot be confirmed now. */
  reason?: string | undefined;
  /** What is called, for "copy as curl". */
  call?: ChangeCall | undefined;
  /** Rejects with what is shown in the dialog, which then stays open. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

export function ConfirmDialog(props: ConfirmProps) {
  const { title, children, verb, needs, isDanger = false, isWide = false, typed, call, onConfirm, onClose } = props;
  const [text, setText] = useState("");
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const reason = props.reason ?? (typed !== undefined && text !== typed ? `Type ${typed} to confirm.` : undefined);
  return (
    <Modal title={title} onClose={onClose} isWide={isWide}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (reason === undefined && !isBusy) void confirm();
        }}
      >
        {children}
        {typed !== undefined && (
          <FormField label={`Type ${typed} to confirm`}>
            <input autoComplete="off" value={text} onChange={(event) => setText(event.target.value)} />
          </FormField>
        )}
        {error !== undefined && <ProblemNote error={error} />}
        <footer className="row end">
          {call && <CopyCurl call={call} />}
          <button type="button" onClick={onClose}>
            {verb.startsWith("Cancel") ? "Do not cancel" : "Cancel"}
          </button>
          <ActionButton
            needs={needs}
            kind={isDanger ? "danger" : "primary"}
            type="submit"
            isBusy={isBusy}
            reason={reason}
          >
            {verb}
          </ActionButton>
        </footer>
      </form>
    </Modal>
  );
}
