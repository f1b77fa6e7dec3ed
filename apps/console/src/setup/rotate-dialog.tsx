// A new signing secret for a source or a target: one that the relay makes and shows once, or one that a person brings.

import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import { changeHeaders } from "../data/tagged.ts";
import { ActionButton } from "../ui/button.tsx";
import { CopyCurl } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { FormField } from "../ui/field.tsx";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { NewSecretDialog } from "../ui/secret.tsx";
import { useSubmission } from "../ui/submit.ts";
import { say } from "../ui/toast.tsx";
import { ForceChoice } from "./managed.tsx";

interface RotateProps {
  /** The path that rotates. */
  path: string;
  etag: string | undefined;
  managedBy: string | null;
  /** Who has to know the new secret, for the dialog: "the service behind this target". */
  keeper: string;
  /** What the earlier secrets do until they expire. */
  overlap: string;
  onClose: () => void;
}

interface RotatedAnswer {
  new_signing_secret?: string;
  notice?: string;
}

type EarlierSecrets = "revoke_after_24h" | "revoke_immediately";

export function RotateDialog(props: RotateProps) {
  const { path, etag, managedBy, keeper, overlap, onClose } = props;
  const [previous, setPrevious] = useState<EarlierSecrets>("revoke_after_24h");
  const [secret, setSecret] = useState("");
  const [isForced, setForced] = useState(false);
  const [answer, setAnswer] = useState<RotatedAnswer>();
  const body = { previous, ...(secret.trim() !== "" && { secret: secret.trim() }) };
  const { isBusy, error, submit } = useSubmission(async () => {
    const made = (await relay.ask("POST", path, { body, headers: changeHeaders(etag, isForced) })) as RotatedAnswer;
    void queries.invalidateQueries();
    if (made.notice !== undefined) say(made.notice);
    if (made.new_signing_secret !== undefined) return setAnswer(made);
    say("The secret is stored");
    onClose();
  });
  if (answer?.new_signing_secret !== undefined) {
    return (
      <NewSecretDialog title="The new signing secret" secret={answer.new_signing_secret} onClose={onClose}>
        Give it to {keeper}. {answer.notice}
      </NewSecretDialog>
    );
  }
  return (
    <Modal title="Rotate the signing secret" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <fieldset className="radios">
          <legend>The earlier secrets</legend>
          <label className="choice">
            <input
              type="radio"
              name="previous"
              checked={previous === "revoke_after_24h"}
              onChange={() => setPrevious("revoke_after_24h")}
            />
            <span>stay valid for 24 hours. {overlap}</span>
          </label>
          <label className="choice">
            <input
              type="radio"
              name="previous"
              checked={previous === "revoke_immediately"}
              onChange={() => setPrevious("revoke_immediately")}
            />
            <span>end at once. Choose this when a secret has leaked.</span>
          </label>
        </fieldset>
        <FormField
          label="Secret of your own (optional)"
          hint="whsec_ and base64 of at least 16 bytes. Leave it empty, and the relay makes one."
          fault={faultUnder(error, "/secret")}
        >
          <input
            type="password"
            autoComplete="off"
            value={secret}
            onChange={(event) => setSecret(event.target.value)}
          />
        </FormField>
        <ForceChoice managedBy={managedBy} isForced={isForced} onChange={setForced} />
        {error !== undefined && <ProblemNote error={error} shownElsewhere={["secret"]} />}
        <footer className="row end">
          <CopyCurl call={{ method: "POST", path, body }} />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <ActionButton needs="write" type="submit" kind="primary" isBusy={isBusy}>
            Rotate
          </ActionButton>
        </footer>
      </form>
    </Modal>
  );
}
