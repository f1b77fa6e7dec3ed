// What can be done with a target: test, pause, disable, rotate, delete.

import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import type { TargetRow } from "../data/records.ts";
import type { Tagged } from "../data/tagged.ts";
import { ActionButton } from "../ui/button.tsx";
import { CallButton } from "../ui/call-button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { say } from "../ui/toast.tsx";
import { DeleteDialog } from "../setup/delete-dialog.tsx";
import { FormLink } from "../setup/form-link.tsx";
import { RotateDialog } from "../setup/rotate-dialog.tsx";
import { isChat } from "./target-kinds.ts";
import { TestDialog } from "./test-dialog.tsx";

type TargetStateVerb = "pause" | "resume" | "enable" | "disable";

const DONE: Record<TargetStateVerb, string> = {
  pause: "Paused: deliveries are held until you resume it",
  resume: "Resumed: what was held is due now",
  enable: "Enabled: what was held is due now",
  disable: "Disabled",
};

export function TargetActions({ target: { value, etag } }: { target: Tagged<TargetRow> }) {
  const [opened, setOpened] = useState<"test" | "rotate" | "disable" | "delete">();
  const { id, name, state, kind } = value;
  const close = () => setOpened(undefined);
  const isDisabled = state !== "enabled" && state !== "paused";
  const disable = async () => {
    await relay.ask("POST", `/v1/targets/${id}:disable`);
    say(DONE.disable);
    void queries.invalidateQueries();
  };
  const path = `/v1/targets/${id}`;
  const changeButton = (verb: TargetStateVerb, label: string) => (
    <CallButton
      needs="write"
      call={{ method: "POST", path: `${path}:${verb}` }}
      done={DONE[verb]}
      onDone={() => queries.invalidateQueries()}
    >
      {label}
    </CallButton>
  );
  return (
    <>
      <ActionButton
        needs="write"
        kind="primary"
        call={{ method: "POST", path: `${path}:test` }}
        onClick={() => setOpened("test")}
      >
        Send a test
      </ActionButton>
      {isDisabled && changeButton("enable", "Enable")}
      {state === "enabled" && changeButton("pause", "Pause")}
      {state === "paused" && changeButton("resume", "Resume")}
      <FormLink to={`/targets/${id}/edit`} needs="write" kind="plain">
        Edit
      </FormLink>
      {!isChat(kind) && (
        <ActionButton needs="write" onClick={() => setOpened("rotate")}>
          Rotate the secret…
        </ActionButton>
      )}
      {!isDisabled && (
        <ActionButton needs="write" onClick={() => setOpened("disable")}>
          Disable…
        </ActionButton>
      )}
      <ActionButton needs="write" kind="danger" onClick={() => setOpened("delete")}>
        Delete…
      </ActionButton>
      {opened === "test" && <TestDialog target={value} onClose={close} />}
      {opened === "rotate" && (
        <RotateDialog
          path={`/v1/targets/${id}:rotate-secret`}
          etag={etag}
          managedBy={value.managed_by}
          keeper={`the service behind ${name}`}
          overlap="Until then each request is signed with all of them, so that no signature fails."
          onClose={close}
        />
      )}
      {opened === "disable" && (
        <ConfirmDialog
          title={`Disable ${name}`}
          verb="Disable"
          needs="write"
          isDanger
          call={{ method: "POST", path: `${path}:disable` }}
          onConfirm={disable}
          onClose={close}
        >
          <p>
            Events that arrive while it is disabled are not delivered to it later. What waits is held until you enable
            it. To lose nothing, pause it instead.
          </p>
        </ConfirmDialog>
      )}
      {opened === "delete" && (
        <DeleteDialog what="target" resource={value} etag={etag} onClose={close}>
          <p>
            What waits for it is cancelled, and keys for it alone are revoked. Its events, deliveries and attempts stay
            in the log. It cannot be brought back.
          </p>
        </DeleteDialog>
      )}
    </>
  );
}
