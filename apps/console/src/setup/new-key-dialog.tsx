// Makes an API key, and shows it once.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { relayNow } from "../data/clock.ts";
import { queries, relay } from "../data/client.ts";
import { ActionButton } from "../ui/button.tsx";
import { CopyCurl } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { FormField } from "../ui/field.tsx";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { TextField } from "./form-parts.tsx";
import { keyBody, newKeyDraft } from "./key-draft.ts";

const SCOPES = [
  { value: "read", label: "read", meaning: "sees everything, and changes nothing" },
  { value: "write", label: "write", meaning: "also changes sources and targets, retries, and sends events" },
  { value: "admin", label: "admin", meaning: "also manages keys, reads the audit trail, and erases events" },
  { value: "target", label: "one pull target", meaning: "pulls for that target, and sees it and its deliveries" },
];

/** Pull targets, by name. */
async function readPullTargets(): Promise<{ id: string; name: string }[]> {
  const found = [];
  for await (const { id, name, kind } of relay.list("/v1/targets")) if (kind === "pull") found.push({ id, name });
  return found;
}

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState(newKeyDraft);
  const [made, setMade] = useState<Schemas["CreatedKey"]>();
  const { data: targets = [] } = useQuery({ queryKey: ["pull-targets"], queryFn: readPullTargets });
  const { isBusy, error, submit } = useSubmission(async () => {
    setMade((await relay.ask("POST", "/v1/keys", { body: keyBody(draft, relayNow()) })) as Schemas["CreatedKey"]);
    void queries.invalidateQueries();
  });
  if (made) {
    return (
      <NewSecretDialog title="The new key" secret={made.key} onClose={onClose}>
        Give it to <strong>{made.name}</strong>, and to nobody else: <code>Authorization: Bearer</code> with it calls
        the API.
      </NewSecretDialog>
    );
  }
  return (
    <Modal title="New key" onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <TextField
          label="Name"
          placeholder="billing team"
          hint="The audit trail names it. One key for each person and each service."
          value={draft.name}
          onText={(name) => setDraft({ ...draft, name })}
          fault={faultUnder(error, "/name")}
        />
        <fieldset className="radios">
          <legend>What it may do</legend>
          {SCOPES.map(({ value, label, meaning }) => (
            <label key={value} className="choice">
              <input
                type="radio"
                name="scope"
                checked={draft.scope === value}
                onChange={() => setDraft({ ...draft, scope: value })}
              />
              <span>
                {label} <span className="muted">{meaning}</span>
              </span>
            </label>
          ))}
          {draft.scope !== "target" && faultUnder(error, "/scopes") !== undefined && (
            <p className="fault">{faultUnder(error, "/scopes")}</p>
          )}
        </fieldset>
        {draft.scope === "target" && (
          <FormField
            label="Pull target"
            hint={targets.length === 0 ? "There is none yet: make a target of the kind “Pull” first." : undefined}
            fault={faultUnder(error, "/scopes")}
          >
            <select value={draft.target} onChange={(event) => setDraft({ ...draft, target: event.target.value })}>
              <option value="">choose</option>
              {targets.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </FormField>
        )}
        <FormField label="Expires" fault={faultUnder(error, "/expires_at")}>
          <select value={draft.days} onChange={(event) => setDraft({ ...draft, days: event.target.value })}>
            <option value="">never</option>
            <option value="1">in a day</option>
            <option value="30">in 30 days</option>
            <option value="90">in 90 days</option>
            <option value="365">in a year</option>
          </select>
        </FormField>
        {error !== undefined && <ProblemNote error={error} shownElsewhere={["name", "scopes", "expires_at"]} />}
        <footer className="row end">
          <CopyCurl call={{ method: "POST", path: "/v1/keys", body: keyBody(draft, relayNow()) }} />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <ActionButton needs="admin" type="submit" kind="primary" isBusy={isBusy}>
            Make the key
          </ActionButton>
        </footer>
      </form>
    </Modal>
  );
}
