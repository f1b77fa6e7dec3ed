// The way to a form. Without the scope for what the form does, it stays in sight and says why it leads nowhere.

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { type NeededScope, useRefusal } from "../data/session.ts";
import { ActionButton } from "../ui/button.tsx";

interface FormLinkProps {
  to: string;
  needs: NeededScope;
  kind?: "plain" | "primary";
  children: ReactNode;
}

export function FormLink({ to, needs, kind = "primary", children }: FormLinkProps) {
  const refusal = useRefusal(needs);
  if (refusal !== undefined) return <ActionButton needs={needs}>{children}</ActionButton>;
  return (
    <Link to={to} className={`button ${kind}`}>
      {children}
    </Link>
  );
}
