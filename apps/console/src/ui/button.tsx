// A button for what changes something. Without the scope for it, it stays in sight, does nothing, and says why.

import type { ReactNode } from "react";

import { type ChangeCall, callAsCurl } from "../data/curl.ts";
import { type NeededScope, useRefusal } from "../data/session.ts";
import { say } from "./toast.tsx";

export interface ActionButtonProps {
  needs: NeededScope;
  onClick?: () => void;
  children: ReactNode;
  kind?: "plain" | "primary" | "danger";
  type?: "button" | "submit";
  isBusy?: boolean;
  /** What it calls, if it calls at once: `c` copies the focused button as a command of curl. */
  call?: ChangeCall | undefined;
  /** Why it cannot be done now, whoever asks. */
  reason?: string | undefined;
}

export function ActionButton(props: ActionButtonProps) {
  const { needs, onClick, children, kind = "plain", type = "button", isBusy = false, call } = props;
  const refusal = useRefusal(needs);
  const reason = refusal ?? props.reason;
  return (
    <button
      type={type}
      className={kind}
      aria-disabled={reason !== undefined || isBusy}
      aria-busy={isBusy}
      title={reason}
      data-curl={call && callAsCurl(call)}
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
