// A new target, and the changes of one.

import type { Schemas } from "@sluice/client/client";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { TargetRow } from "../data/records.ts";
import { PageHead } from "../ui/page.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { EditScreen } from "../setup/edit-screen.tsx";
import { FormPanel } from "../setup/form-panel.tsx";
import { bodyOf, draftOf, newDraft, newTargetBody, type TargetDraft, withKind } from "./target-draft.ts";
import { isChat } from "./target-kinds.ts";
import { TARGET_FIELDS, TargetForm } from "./target-form.tsx";

/** The URL of a chat service is the secret that lets its holder write there. */
const secretFields = ({ kind }: TargetDraft): readonly string[] => (isChat(kind) ? ["uri"] : []);

export function NewTargetScreen() {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(newDraft);
  const [made, setMade] = useState<Schemas["CreatedTarget"]>();
  const open = ({ id }: { id: string }) => navigate({ to: `/targets/${id}`, search: {} });
  const submission = useSubmission(async () => {
    const created = (await relay.ask("POST", "/v1/targets", {
      body: newTargetBody(draft),
    })) as Schemas["CreatedTarget"];
    void queries.invalidateQueries();
    if (created.new_signing_secret === undefined) await open(created);
    else setMade(created);
  });
  return (
    <>
      <PageHead title="New target" />
      <FormPanel
        fields={TARGET_FIELDS}
        submission={submission}
        verb="Make the target"
        call={{ method: "POST", path: "/v1/targets", body: newTargetBody(draft), secretFields: secretFields(draft) }}
        back="/targets"
      >
        <TargetForm
          draft={draft}
          stored={undefined}
          onChange={(change) => setDraft({ ...draft, ...change })}
          onKind={(kind) => setDraft(withKind(draft, kind))}
          error={submission.error}
        />
      </FormPanel>
      {made?.new_signing_secret !== undefined && (
        <NewSecretDialog
          title="The signing secret of the target"
          secret={made.new_signing_secret}
          onClose={() => void open(made)}
        >
          Give it to the service behind <strong>{made.name}</strong>: with it, the service verifies that a webhook comes
          from this relay.
        </NewSecretDialog>
      )}
    </>
  );
}

export function EditTargetScreen() {
  return (
    <EditScreen<TargetRow, TargetDraft>
      what="target"
      fields={TARGET_FIELDS}
      draftOf={draftOf}
      bodyOf={bodyOf}
      secretFields={secretFields}
      renderForm={(edited) => <TargetForm {...edited} onKind={() => undefined} />}
    />
  );
}
