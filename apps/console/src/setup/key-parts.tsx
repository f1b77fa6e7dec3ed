// What the list of keys and the page of one share: what a key may do, and revoking it.

import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import { useNames } from "../data/names.tsx";
import type { KeyRow } from "../data/records.ts";
import { useSession } from "../data/session.ts";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { say } from "../ui/toast.tsx";
import { ForceChoice } from "./managed.tsx";

export function KeyScopes({ scopes }: { scopes: readonly string[] }) {
  const names = useNames("targets");
  return scopes
    .map((scope) => {
      const target = /^target:(.*)$/.exec(scope)?.[1];
      return target === undefined ? scope : `only the target ${names.get(target) ?? target}`;
    })
    .join(", ");
}

export function RevokeKey({ apiKey, kind = "plain" }: { apiKey: KeyRow; kind?: "plain" | "danger" }) {
  const [isAsked, setAsked] = useState(false);
  return (
    <>
      <ActionButton
        needs="admin"
        kind={kind}
        onClick={() => setAsked(true)}
        reason={apiKey.state === "active" ? undefined : `It is ${apiKey.state} already.`}
      >
        Revoke…
      </ActionButton>
      {isAsked && <RevokeDialog apiKey={apiKey} onClose={() => setAsked(false)} />}
    </>
  );
}

function RevokeDialog({ apiKey, onClose }: { apiKey: KeyRow; onClose: () => void }) {
  const { key_id } = useSession();
  const [isForced, setForced] = useState(false);
  const { id, name, managed_by } = apiKey;
  const revoke = async () => {
    const headers = isForced ? { "sluice-force": "true" } : {};
    await relay.ask("POST", `/v1/keys/${id}:revoke`, { headers });
    say(`Revoked ${name}`);
    void queries.invalidateQueries();
  };
  return (
    <ConfirmDialog
      title={`Revoke ${name}`}
      verb="Revoke"
      needs="admin"
      isDanger
      typed={name}
      call={{ method: "POST", path: `/v1/keys/${id}:revoke` }}
      onConfirm={revoke}
      onClose={onClose}
    >
      <p>
        Requests with this key are refused at once, and sessions of the console that it began end. It cannot be undone.
      </p>
      {key_id === id && <p className="note warn">You are signed in with this key. Revoking it signs you out.</p>}
      <ForceChoice managedBy={managed_by} isForced={isForced} onChange={setForced} />
    </ConfirmDialog>
  );
}
