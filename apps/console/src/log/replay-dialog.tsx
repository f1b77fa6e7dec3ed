// Sends an event again: to all targets that match it now, or to chosen ones.

import type { Schemas } from "@sluice/client/client";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import { useNames } from "../data/names.tsx";
import type { ShownEvent } from "../data/records.ts";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { say } from "../ui/toast.tsx";
import { plural } from "../ui/format.ts";

export function ReplayDialog({ event, onClose }: { event: ShownEvent; onClose: () => void }) {
  const targets = useNames("targets");
  const [chosen, setChosen] = useState<string[]>([]);
  const [again, setAgain] = useState(false);
  const replay = async () => {
    const body: Schemas["Replay"] = { again, ...(chosen.length > 0 && { targets: chosen }) };
    const answer = await relay.post("/v1/events/{id}:replay", { params: { path: { id: event.id } }, body });
    const sent = answer.deliveries.filter(({ result }) => result === "created" || result === "retried");
    const rest = answer.deliveries.length - sent.length;
    say(`Sent to ${plural(sent.length, "target")}${rest > 0 ? `; ${plural(rest, "target")} had it already` : ""}`);
    await queries.invalidateQueries({ queryKey: ["event", event.id] });
  };
  return (
    <ConfirmDialog title="Replay this event" verb="Replay" needs="write" onConfirm={replay} onClose={onClose}>
      <fieldset className="choices">
        <legend>Targets</legend>
        <p className="hint">Choose none to send it to all targets whose subscription and filter match it now.</p>
        {[...targets].map(([id, name]) => (
          <label key={id}>
            <input
              type="checkbox"
              checked={chosen.includes(id)}
              onChange={({ target: { checked } }) =>
                setChosen(checked ? [...chosen, id] : chosen.filter((one) => one !== id))
              }
            />{" "}
            {name}
          </label>
        ))}
      </fieldset>
      <label>
        <input type="checkbox" checked={again} onChange={(change) => setAgain(change.target.checked)} /> Also to targets
        that have had it already
      </label>
    </ConfirmDialog>
  );
}
