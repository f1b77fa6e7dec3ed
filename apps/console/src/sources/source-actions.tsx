// What can be done with a source: edit, rotate, delete.

import { useState } from "react";

import type { SourceRow } from "../data/records.ts";
import type { Tagged } from "../data/tagged.ts";
import { ActionButton } from "../ui/button.tsx";
import { DeleteDialog } from "../setup/delete-dialog.tsx";
import { FormLink } from "../setup/form-link.tsx";
import { RotateDialog } from "../setup/rotate-dialog.tsx";
import { SOURCE_OF_API } from "./sources-screen.tsx";

/** The sources that every relay has. */
const PROTECTED = ["gemini", "gemini-dynamic", SOURCE_OF_API];

export function SourceActions({ source: { value, etag } }: { source: Tagged<SourceRow> }) {
  const [opened, setOpened] = useState<"rotate" | "delete">();
  const close = () => setOpened(undefined);
  const { id, name, kind, managed_by } = value;
  return (
    <>
      <FormLink to={`/sources/${id}/edit`} needs="write" kind="plain">
        Edit
      </FormLink>
      {kind === "static" && name !== SOURCE_OF_API && (
        <ActionButton needs="write" onClick={() => setOpened("rotate")}>
          {value.signing_secrets.length === 0 ? "Set the secret…" : "Rotate the secret…"}
        </ActionButton>
      )}
      <ActionButton
        needs="write"
        kind="danger"
        onClick={() => setOpened("delete")}
        reason={PROTECTED.includes(name) ? "Every relay has this source, so it cannot be deleted." : undefined}
      >
        Delete…
      </ActionButton>
      {opened === "rotate" && (
        <RotateDialog
          path={`/v1/sources/${id}/signing-secrets`}
          etag={etag}
          managedBy={managed_by}
          keeper="whoever sends to this source: they sign with it"
          overlap="Until then, a webhook that is signed with any of them is accepted."
          onClose={close}
        />
      )}
      {opened === "delete" && (
        <DeleteDialog what="source" resource={value} etag={etag} onClose={close}>
          <p>
            Webhooks to <code>{value.ingress_path}</code> are refused from now on. Events that arrived stay in the log.
            It cannot be brought back.
          </p>
          {value.upstream !== null && (
            <p className="note warn">
              Its webhook stays at Gemini. Deregister it first, if Gemini should stop sending.
            </p>
          )}
        </DeleteDialog>
      )}
    </>
  );
}
