// Deletes a target or a source, after its name was typed.

import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import { queries, relay } from "../data/client.ts";
import { changeHeaders } from "../data/tagged.ts";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { say } from "../ui/toast.tsx";
import { ForceChoice } from "./managed.tsx";

interface DeleteDialogProps {
  what: "source" | "target";
  resource: { id: string; name: string; managed_by: string | null };
  etag: string;
  onClose: () => void;
  /** What becomes of what belongs to it. */
  children: ReactNode;
}

export function DeleteDialog({ what, resource, etag, onClose, children }: DeleteDialogProps) {
  const navigate = useNavigate();
  const [isForced, setForced] = useState(false);
  const { id, name, managed_by } = resource;
  const remove = async () => {
    await relay.ask("DELETE", `/v1/${what}s/${id}`, { headers: changeHeaders(etag, isForced) });
    say(`Deleted ${name}`);
    await navigate({ to: `/${what}s`, search: {} });
    queries.removeQueries({ queryKey: [what, id] });
    void queries.invalidateQueries();
  };
  return (
    <ConfirmDialog
      title={`Delete ${name}`}
      verb="Delete"
      needs="write"
      isDanger
      typed={name}
      call={{ method: "DELETE", path: `/v1/${what}s/${id}` }}
      onConfirm={remove}
      onClose={onClose}
    >
      {children}
      <ForceChoice managedBy={managed_by} isForced={isForced} onChange={setForced} />
    </ConfirmDialog>
  );
}
