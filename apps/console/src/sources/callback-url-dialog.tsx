// Makes a callback URL for one job: its labels, when it expires, and whether the relay waits for the job.

import type { Schemas } from "@sluice/client/client";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { SourceRow } from "../data/records.ts";
import { ActionButton } from "../ui/button.tsx";
import { CopyButton, CopyCurl } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { FormField } from "../ui/field.tsx";
import { LabelList } from "../ui/labels.tsx";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { useSubmission } from "../ui/submit.ts";
import { callbackBody, EXPIRIES, newCallbackDraft } from "./callback-draft.ts";
import { AreaField } from "../setup/form-parts.tsx";
import { ValidUntil } from "../setup/secrets.tsx";
import { SnippetTabs } from "./snippet-tabs.tsx";
import { jobSnippets } from "./source-snippets.ts";

type MadeUrl = Schemas["CallbackUrl"];

export function CallbackUrlDialog({ source, onClose }: { source: SourceRow; onClose: () => void }) {
  const [draft, setDraft] = useState(newCallbackDraft);
  const [made, setMade] = useState<MadeUrl>();
  const { isBusy, error, submit } = useSubmission(async () => {
    const path = `/v1/sources/${source.id}/callback-urls`;
    setMade((await relay.ask("POST", path, { body: callbackBody(draft) })) as MadeUrl);
    if (draft.jobKind !== "") void queries.invalidateQueries();
  });
  if (made) return <MadeUrlDialog made={made} onClose={onClose} />;
  return (
    <Modal title="Make a callback URL" onClose={onClose} isWide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <AreaField
          label="Labels"
          placeholder={"job=nightly-report\ncustomer=42"}
          hint="name=value, one a line. Each event that comes by the URL has them. Whoever sees the URL can read them."
          value={draft.labels}
          onText={(labels) => setDraft({ ...draft, labels })}
          fault={faultUnder(error, "/labels")}
        />
        <div className="form-columns">
          <FormField label="Valid for" fault={faultUnder(error, "/expires_in_seconds")}>
            <select
              value={draft.expiresInSeconds}
              onChange={(event) => setDraft({ ...draft, expiresInSeconds: event.target.value })}
            >
              {EXPIRIES.map(({ seconds, label }) => (
                <option key={seconds} value={seconds}>
                  {label}
                </option>
              ))}
            </select>
          </FormField>
          <FormField
            label="Wait for the job"
            hint="The relay then looks at Gemini when no webhook comes. It needs a key of the Gemini API."
            fault={faultUnder(error, "/job")}
          >
            <select value={draft.jobKind} onChange={(event) => setDraft({ ...draft, jobKind: event.target.value })}>
              <option value="">no</option>
              <option value="batch">a batch</option>
              <option value="interaction">an interaction</option>
              <option value="video">a video</option>
            </select>
          </FormField>
        </div>
        <label className="choice">
          <input
            type="checkbox"
            checked={draft.isSingleUse}
            onChange={(event) => setDraft({ ...draft, isSingleUse: event.target.checked })}
          />
          <span>Single use: accept only the first webhook, and its retries</span>
        </label>
        {error !== undefined && <ProblemNote error={error} shownElsewhere={["labels", "expires_in_seconds", "job"]} />}
        <footer className="row end">
          <CopyCurl
            call={{ method: "POST", path: `/v1/sources/${source.id}/callback-urls`, body: callbackBody(draft) }}
          />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <ActionButton needs="write" type="submit" kind="primary" isBusy={isBusy}>
            Make the URL
          </ActionButton>
        </footer>
      </form>
    </Modal>
  );
}

function MadeUrlDialog({ made, onClose }: { made: MadeUrl; onClose: () => void }) {
  const url = made.url ?? made.ingress_path;
  return (
    <Modal title="The callback URL" onClose={onClose} isWide>
      <p>Name it to Gemini with the job. {made.url === null && "Put the public https address before this path."}</p>
      <p className="address">
        <code>{url}</code> <CopyButton text={url} what="the URL" />
      </p>
      <p className="muted">
        Valid <ValidUntil at={made.expire_time} />
        {made.single_use && ", for one webhook"}. The relay does not store it, so it cannot be shown again.
      </p>
      <LabelList labels={made.labels} />
      {made.job !== null && (
        <p>
          The relay waits for <Link to={`/jobs/${made.job}`}>this job</Link>. Give it the name of the job there once
          Gemini has named it.
        </p>
      )}
      <SnippetTabs snippets={jobSnippets("THE_CALLBACK_URL")} />
      <footer className="row end">
        <button type="button" className="primary" onClick={onClose}>
          I have stored it
        </button>
      </footer>
    </Modal>
  );
}
