// The API keys: who may call the relay. A key is shown once, when it is made.

import { useState } from "react";

import type { KeyRow } from "../data/records.ts";
import { useRefusal } from "../data/session.ts";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { AdminOnly } from "../ui/admin-only.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { Ago } from "../ui/time.tsx";
import { KeyScopes, RevokeKey } from "./key-parts.tsx";
import { NewKeyDialog } from "./new-key-dialog.tsx";

export function KeysScreen() {
  const refusal = useRefusal("admin");
  if (refusal !== undefined) return <AdminOnly title="Keys" refusal={refusal} />;
  return <KeyList />;
}

const COLUMNS: readonly ListColumn<KeyRow>[] = [
  { key: "name", label: "Name", cell: ({ name }) => name },
  { key: "state", label: "State", cell: ({ state }) => <StateBadge state={state} /> },
  { key: "scopes", label: "Scopes", cell: ({ scopes }) => <KeyScopes scopes={scopes} />, isWide: true, priority: 2 },
  { key: "key", label: "Key", cell: ({ truncated_key }) => <code>{truncated_key}</code>, priority: 2 },
  { key: "used", label: "Last use", cell: ({ last_used_at }) => <Ago at={last_used_at} />, priority: 2 },
  { key: "expires", label: "Expires", cell: ({ expires_at }) => <Ago at={expires_at} />, priority: 2 },
  { key: "managed", label: "Managed by", cell: ({ managed_by }) => managed_by ?? "–", priority: 3 },
  { key: "revoke", label: "Revoke", cell: (key) => key.state === "active" && <RevokeKey apiKey={key} /> },
];

function KeyList() {
  const [isMaking, setMaking] = useState(false);
  return (
    <>
      <ListScreen<KeyRow>
        title="Keys"
        path="/v1/keys"
        linkTo={({ id }) => `/keys/${id}`}
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
