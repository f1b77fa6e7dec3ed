// The page that changes a target or a source. A change carries the version that was read, so that nobody's work is overwritten.

import { ApiError } from "@sluice/client/api-error";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { ChangeCall } from "../data/curl.ts";
import { changeHeaders, readTagged, type Tagged } from "../data/tagged.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { useSubmission } from "../ui/submit.ts";
import { say } from "../ui/toast.tsx";
import { FormPanel } from "./form-panel.tsx";
import { ForceChoice, ManagedNote } from "./managed.tsx";

interface EditedResource {
  id: string;
  name: string;
  managed_by: string | null;
}

interface EditedDraft<Draft> {
  draft: Draft;
  /** What the relay has. */
  stored: Draft;
  onChange: (change: Partial<Draft>) => void;
  error: unknown;
}

interface EditScreenProps<Resource extends EditedResource, Draft> {
  what: "source" | "target";
  /** The fields whose faults the form shows itself. */
  fields: readonly string[];
  draftOf: (resource: Resource) => Draft;
  /** The body of the change: only what differs. */
  bodyOf: (draft: Draft, stored: Draft) => Record<string, unknown>;
  /** Fields that a copied command leaves out, beside those that are always secret. */
  secretFields?: (draft: Draft) => readonly string[];
  renderForm: (edited: EditedDraft<Draft>, resource: Resource) => ReactNode;
}

export function EditScreen<Resource extends EditedResource, Draft>(props: EditScreenProps<Resource, Draft>) {
  const { id = "" } = useParams({ strict: false });
  const { what } = props;
  const path = `/v1/${what}s/${id}`;
  // The form keeps what was read when it opened: what is saved is compared with it.
  const read = useQuery({
    queryKey: ["edited", id],
    queryFn: ({ signal }) => readTagged<Resource>(path, signal),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <PageHead
        title={read.data === undefined ? `Edit the ${what}` : `Edit ${read.data.value.name}`}
        path={path}
        id={id}
      />
      {read.error !== null && <ProblemNote error={read.error} onRetry={() => void read.refetch()} />}
      {read.isLoading && <Skeleton kind="page" />}
      {read.data && (
        <EditForm key={read.data.etag} {...props} resource={read.data} onReload={() => void read.refetch()} />
      )}
    </>
  );
}

interface EditFormProps<Resource extends EditedResource, Draft> extends EditScreenProps<Resource, Draft> {
  resource: Tagged<Resource>;
  onReload: () => void;
}

function EditForm<Resource extends EditedResource, Draft>(props: EditFormProps<Resource, Draft>) {
  const { what, fields, draftOf, bodyOf, renderForm, onReload, secretFields = () => [] } = props;
  const { value, etag } = props.resource;
  const navigate = useNavigate();
  const [stored] = useState(() => draftOf(value));
  const [draft, setDraft] = useState(stored);
  const [isForced, setForced] = useState(false);
  const page = `/${what}s/${value.id}`;
  const body = bodyOf(draft, stored);
  const call: ChangeCall = { method: "PATCH", path: `/v1${page}`, body, secretFields: secretFields(draft) };
  const submission = useSubmission(async () => {
    if (Object.keys(body).length > 0) {
      await relay.ask("PATCH", `/v1${page}`, { body, headers: changeHeaders(etag, isForced) });
      void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "edited" });
      say("Saved");
    }
    await navigate({ to: page, search: {} });
  });
  const { error } = submission;
  const hasChanged = error instanceof ApiError && error.status === 412;
  const onChange = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  return (
    <>
      <ManagedNote managedBy={value.managed_by} what={what} />
      <FormPanel fields={fields} submission={submission} verb="Save" call={call} back={page}>
        {renderForm({ draft, stored, onChange, error }, value)}
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
