// A button for what changes something. Without the scope for it, it stays in sight, does nothing, and says why.

import type { ReactNode } from "react";

import { type NeededScope, useRefusal } from "../data/session.ts";
import { say } from "./toast.tsx";

export interface ActionButtonProps {
  needs: NeededScope;
  onClick?: () => void;
  children: ReactNode;
  kind?: "plain" | "primary" | "danger";
  type?: "button" | "submit";
  isBusy?: boolean;
  /** Why it cannot be done now, whoever asks. */
  reason?: string | undefined;
}

export function ActionButton(props: ActionButtonProps) {
  const { needs, onClick, children, kind = "plain", type = "button", isBusy = false } = props;
  const refusal = useRefusal(needs);
  const reason = refusal ?? props.reason;
  return (
    <button
      type={type}
      className={kind}
      aria-disabled={reason !== undefined || isBusy}
      aria-busy={isBusy}
      title={reason}
      onClick={(event) => {
        if (reason === undefined && !isBusy) return onClick?.();
        event.preventDefault();
        if (reason !== undefined) say(reason, { isBad: true });
      }}
    >
      {children}
    </button>
  );
}
