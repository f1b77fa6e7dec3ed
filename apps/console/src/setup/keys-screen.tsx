// The API keys: who may call the relay. A key is shown once, when it is made.

import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { KeyRow } from "../data/records.ts";
import { useRefusal, useSession } from "../data/session.ts";
import { useNames } from "../data/names.tsx";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { AdminOnly } from "../ui/admin-only.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { Ago } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";
import { ForceChoice } from "./managed.tsx";
import { NewKeyDialog } from "./new-key-dialog.tsx";

export function KeysScreen() {
  const refusal = useRefusal("admin");
  if (refusal !== undefined) return <AdminOnly title="Keys" refusal={refusal} />;
  return <KeyList />;
}

const COLUMNS: readonly ListColumn<KeyRow>[] = [
  { key: "name", label: "Name", cell: ({ name }) => name },
  { key: "state", label: "State", cell: ({ state }) => <StateBadge state={state} /> },
  { key: "scopes", label: "Scopes", cell: ({ scopes }) => <Scopes scopes={scopes} />, isWide: true, priority: 2 },
  { key: "key", label: "Key", cell: ({ truncated_key }) => <code>{truncated_key}</code>, priority: 2 },
  { key: "used", label: "Last use", cell: ({ last_used_at }) => <Ago at={last_used_at} />, priority: 2 },
  { key: "expires", label: "Expires", cell: ({ expires_at }) => <Ago at={expires_at} />, priority: 2 },
  { key: "managed", label: "Managed by", cell: ({ managed_by }) => managed_by ?? "–", priority: 3 },
  { key: "revoke", label: "Revoke", cell: (key) => <RevokeCell apiKey={key} /> },
];

function KeyList() {
  const [isMaking, setMaking] = useState(false);
  return (
    <>
      <ListScreen<KeyRow>
        title="Keys"
        path="/v1/keys"
        columns={COLUMNS}
        filters={[{ name: "name", label: "Name", placeholder: "the whole name", isFirst: true }]}
        actions={
          <ActionButton needs="admin" kind="primary" onClick={() => setMaking(true)}>
            New key
          </ActionButton>
        }
        empty={
          <>
            <p>
              <strong>No key is stored.</strong>
            </p>
            <p className="muted">You are signed in with ADMIN_API_KEY. Make a key for each person and each service.</p>
          </>
        }
      />
      {isMaking && <NewKeyDialog onClose={() => setMaking(false)} />}
    </>
  );
}

function Scopes({ scopes }: { scopes: readonly string[] }) {
  const names = useNames("targets");
  return scopes
    .map((scope) => {
      const target = /^target:(.*)$/.exec(scope)?.[1];
      return target === undefined ? scope : `only the target ${names.get(target) ?? target}`;
    })
    .join(", ");
}

function RevokeCell({ apiKey }: { apiKey: KeyRow }) {
  const [isAsked, setAsked] = useState(false);
  if (apiKey.state !== "active") return null;
  return (
    <>
      <ActionButton needs="admin" onClick={() => setAsked(true)}>
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
