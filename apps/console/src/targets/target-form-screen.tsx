// A new target, and the changes of one. A change carries the version that was read, so that nobody's work is overwritten.

import type { Schemas } from "@sluice/client/client";
import { ApiError } from "@sluice/client/api-error";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { TargetRow } from "../data/records.ts";
import { changeHeaders, readTagged, type Tagged } from "../data/tagged.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { say } from "../ui/toast.tsx";
import { FormPanel } from "../setup/form-panel.tsx";
import { ForceChoice, ManagedNote } from "../setup/managed.tsx";
import { bodyOf, draftOf, newDraft, newTargetBody, withKind } from "./target-draft.ts";
import { TARGET_FIELDS, TargetForm } from "./target-form.tsx";

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
      <FormPanel fields={TARGET_FIELDS} submission={submission} verb="Make the target" back="/targets">
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
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/targets/${id}`;
  // The form keeps what was read when it opened: what is saved is compared with it.
  const target = useQuery({
    queryKey: ["edited", id],
    queryFn: ({ signal }) => readTagged<TargetRow>(path, signal),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <PageHead
        title={target.data === undefined ? "Edit the target" : `Edit ${target.data.value.name}`}
        path={path}
        id={id}
      />
      {target.error !== null && <ProblemNote error={target.error} onRetry={() => void target.refetch()} />}
      {target.data && <EditForm key={target.data.etag} target={target.data} onReload={() => void target.refetch()} />}
    </>
  );
}

function EditForm({ target: { value, etag }, onReload }: { target: Tagged<TargetRow>; onReload: () => void }) {
  const navigate = useNavigate();
  const [stored] = useState(() => draftOf(value));
  const [draft, setDraft] = useState(stored);
  const [isForced, setForced] = useState(false);
  const page = `/targets/${value.id}`;
  const submission = useSubmission(async () => {
    const body = bodyOf(draft, stored);
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
      <ManagedNote managedBy={value.managed_by} what="target" />
      <FormPanel fields={TARGET_FIELDS} submission={submission} verb="Save" back={page}>
        <TargetForm
          draft={draft}
          stored={stored}
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
