// A new source, and the changes of one.

import type { Schemas } from "@sluice/client/client";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { SourceRow } from "../data/records.ts";
import { PageHead } from "../ui/page.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { EditScreen } from "../setup/edit-screen.tsx";
import { FormPanel } from "../setup/form-panel.tsx";
import { newSourceBody, newSourceDraft, type SourceDraft, sourceBody, sourceDraftOf } from "./source-draft.ts";
import { SOURCE_FIELDS, SourceForm } from "./source-form.tsx";

export function NewSourceScreen() {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(() => newSourceDraft());
  const [made, setMade] = useState<Schemas["CreatedSource"]>();
  const open = ({ id }: { id: string }) => navigate({ to: `/sources/${id}`, search: {} });
  const submission = useSubmission(async () => {
    const created = (await relay.ask("POST", "/v1/sources", {
      body: newSourceBody(draft),
    })) as Schemas["CreatedSource"];
    void queries.invalidateQueries();
    if (created.new_signing_secret === undefined && created.new_ingress_token === undefined) await open(created);
    else setMade(created);
  });
  return (
    <>
      <PageHead title="New source" />
      <FormPanel
        fields={SOURCE_FIELDS}
        submission={submission}
        verb="Make the source"
        call={{ method: "POST", path: "/v1/sources", body: newSourceBody(draft) }}
        back="/sources"
      >
        <SourceForm
          draft={draft}
          isNew
          storedKey={null}
          onChange={(change) => setDraft({ ...draft, ...change })}
          onKind={(kind) => setDraft({ ...newSourceDraft(kind), name: draft.name, geminiKey: draft.geminiKey })}
          error={submission.error}
        />
      </FormPanel>
      {made && <MadeDialog made={made} onClose={() => void open(made)} />}
    </>
  );
}

function MadeDialog({ made, onClose }: { made: Schemas["CreatedSource"]; onClose: () => void }) {
  const { new_signing_secret: secret, new_ingress_token: token, name } = made;
  if (token !== undefined) {
    return (
      <NewSecretDialog title="The address of the source" secret={`/in/${name}/${token}`} onClose={onClose}>
        Whoever knows it can reach the source. Give it to Gemini behind your public URL, or make a callback URL for each
        job instead.
      </NewSecretDialog>
    );
  }
  return (
    <NewSecretDialog title="The signing secret of the source" secret={secret ?? ""} onClose={onClose}>
      Senders sign with it. Gemini makes a secret of its own when you register the webhook there: give that one to the
      source then.
    </NewSecretDialog>
  );
}

export function EditSourceScreen() {
  return (
    <EditScreen<SourceRow, SourceDraft>
      what="source"
      fields={SOURCE_FIELDS}
      draftOf={sourceDraftOf}
      bodyOf={sourceBody}
      renderForm={({ draft, onChange, error }, { gemini_api_key }) => (
        <SourceForm
          draft={draft}
          isNew={false}
          storedKey={gemini_api_key}
          onChange={onChange}
          onKind={() => undefined}
          error={error}
        />
      )}
    />
  );
}
