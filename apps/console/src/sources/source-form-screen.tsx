// A new source, and the changes of one. A change carries the version that was read.

import { ApiError } from "@sluice/client/api-error";
import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { SourceRow } from "../data/records.ts";
import { changeHeaders, readTagged, type Tagged } from "../data/tagged.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { say } from "../ui/toast.tsx";
import { FormPanel } from "../setup/form-panel.tsx";
import { ForceChoice, ManagedNote } from "../setup/managed.tsx";
import { newSourceBody, newSourceDraft, sourceBody, sourceDraftOf } from "./source-draft.ts";
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
      <FormPanel fields={SOURCE_FIELDS} submission={submission} verb="Make the source" back="/sources">
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
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/sources/${id}`;
  const source = useQuery({
    queryKey: ["edited", id],
    queryFn: ({ signal }) => readTagged<SourceRow>(path, signal),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <PageHead
        title={source.data === undefined ? "Edit the source" : `Edit ${source.data.value.name}`}
        path={path}
        id={id}
      />
      {source.error !== null && <ProblemNote error={source.error} onRetry={() => void source.refetch()} />}
      {source.data && (
        <EditSourceForm key={source.data.etag} source={source.data} onReload={() => void source.refetch()} />
      )}
    </>
  );
}

function EditSourceForm({ source: { value, etag }, onReload }: { source: Tagged<SourceRow>; onReload: () => void }) {
  const navigate = useNavigate();
  const [stored] = useState(() => sourceDraftOf(value));
  const [draft, setDraft] = useState(stored);
  const [isForced, setForced] = useState(false);
  const page = `/sources/${value.id}`;
  const submission = useSubmission(async () => {
    const body = sourceBody(draft, stored);
    if (Object.keys(body).length > 0) {
      await relay.ask("PATCH", `/v1${page}`, { body, headers: changeHeaders(etag, isForced) });
      void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "edited" });
      say("Saved");
    }
    await navigate({ to: page, search: {} });
  });
  const hasChanged = submission.error instanceof ApiError && submission.error.status === 412;
  return (
    <>
      <ManagedNote managedBy={value.managed_by} what="source" />
      <FormPanel fields={SOURCE_FIELDS} submission={submission} verb="Save" back={page}>
        <SourceForm
          draft={draft}
          isNew={false}
          storedKey={value.gemini_api_key}
          onChange={(change) => setDraft({ ...draft, ...change })}
          onKind={() => undefined}
          error={submission.error}
        />
        <ForceChoice managedBy={value.managed_by} isForced={isForced} onChange={setForced} />
        {hasChanged && (
          <p>
            <button type="button" onClick={onReload}>
              Show the current version, and drop my changes
            </button>
          </p>
        )}
      </FormPanel>
    </>
  );
}
