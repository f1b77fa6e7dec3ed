// The addresses of a dynamic source: fixed ones with an ingress token, and callback URLs for single jobs.

import type { Schemas } from "@sluice/client/client";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { SourceRow } from "../data/records.ts";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { CopyCurl } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { Panel } from "../ui/facts.tsx";
import { FormField } from "../ui/field.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { say } from "../ui/toast.tsx";
import { CallbackUrlDialog } from "./callback-url-dialog.tsx";
import { ValidUntil } from "../setup/secrets.tsx";

type TokenOfSource = SourceRow["ingress_tokens"][number];

export function AddressesPanel({ source }: { source: SourceRow }) {
  const [opened, setOpened] = useState<"token" | "callback">();
  const [revoked, setRevoked] = useState<TokenOfSource>();
  const close = () => setOpened(undefined);
  const { ingress_tokens: tokens } = source;
  return (
    <Panel
      title="Addresses"
      actions={
        <>
          <ActionButton needs="write" kind="primary" onClick={() => setOpened("callback")}>
            Make a callback URL
          </ActionButton>
          <ActionButton needs="write" onClick={() => setOpened("token")}>
            New ingress token
          </ActionButton>
        </>
      }
    >
      <p className="muted">
        A callback URL is for one job, and its labels come with each event. It is not stored, so it cannot be revoked
        before it expires. An ingress token makes one fixed address for many jobs.
      </p>
      {tokens.length > 0 && (
        <div className="table-scroll">
          <table className="plain" aria-label="Ingress tokens">
            <thead>
              <tr>
                <th scope="col">Ingress token</th>
                <th scope="col">Valid</th>
                <th scope="col">
                  <span className="hidden-label">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.map((token) => (
                <tr key={token.id}>
                  <td>
                    <code>{token.truncated_token}</code>
                  </td>
                  <td>{token.expire_time === null ? "without an end" : <ValidUntil at={token.expire_time} />}</td>
                  <td className="number">
                    <ActionButton needs="write" onClick={() => setRevoked(token)}>
                      Revoke…
                    </ActionButton>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {opened === "token" && <NewTokenDialog source={source} onClose={close} />}
      {opened === "callback" && <CallbackUrlDialog source={source} onClose={close} />}
      {revoked && (
        <ConfirmDialog
          title="Revoke this ingress token"
          verb="Revoke"
          needs="write"
          isDanger
          call={{ method: "DELETE", path: `/v1/sources/${source.id}/ingress-tokens/${revoked.id}` }}
          onConfirm={() => revokeToken(source.id, revoked.id)}
          onClose={() => setRevoked(undefined)}
        >
          <p>
            Webhooks to the address with <code>{revoked.truncated_token}</code> are refused from now on. Jobs that are
            under way with this address lose their events.
          </p>
        </ConfirmDialog>
      )}
    </Panel>
  );
}

async function revokeToken(source: string, token: string): Promise<void> {
  await relay.ask("DELETE", `/v1/sources/${source}/ingress-tokens/${token}`);
  say("Revoked");
  void queries.invalidateQueries();
}

type CreatedToken = Schemas["CreatedIngressToken"];

function NewTokenDialog({ source, onClose }: { source: SourceRow; onClose: () => void }) {
  const [previous, setPrevious] = useState<Schemas["PreviousTokens"]>("keep");
  const [made, setMade] = useState<CreatedToken>();
  const { isBusy, error, submit } = useSubmission(async () => {
    const path = `/v1/sources/${source.id}/ingress-tokens`;
    setMade((await relay.ask("POST", path, { body: { previous } })) as CreatedToken);
    void queries.invalidateQueries();
  });
  if (made) {
    return (
      <NewSecretDialog title="The new address" secret={made.url ?? made.ingress_path} onClose={onClose}>
        Name it to Gemini with your jobs.{" "}
        {made.url === null && "It is a path: put the public https address of the ingress before it."}
      </NewSecretDialog>
    );
  }
  return (
    <Modal title="New ingress token" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <FormField label="The tokens that the source has">
          <select
            value={previous}
            onChange={(event) => setPrevious(event.target.value as Schemas["PreviousTokens"])}
            disabled={source.ingress_tokens.length === 0}
          >
            <option value="keep">stay valid</option>
            <option value="revoke_after_24h">end after 24 hours</option>
            <option value="revoke_immediately">end at once</option>
          </select>
        </FormField>
        {error !== undefined && <ProblemNote error={error} />}
        <footer className="row end">
          <CopyCurl call={{ method: "POST", path: `/v1/sources/${source.id}/ingress-tokens`, body: { previous } }} />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <ActionButton needs="write" type="submit" kind="primary" isBusy={isBusy}>
            Make the token
          </ActionButton>
        </footer>
      </form>
    </Modal>
  );
}
