// A list of event types: a text with names, and the types of Gemini to add or remove with one click.

import { EVENT_TYPES } from "../data/event-types.ts";
import { splitNames } from "../setup/split-names.ts";
import { AreaField } from "../setup/form-parts.tsx";

interface EventsFieldProps {
  value: string;
  onText: (text: string) => void;
  fault: string | undefined;
}

const CHOICES = ["*", ...EVENT_TYPES];

export function SubscribedEventsField({ value, onText, fault }: EventsFieldProps) {
  const names = splitNames(value);
  const toggle = (name: string) =>
    onText((names.includes(name) ? names.filter((one) => one !== name) : [...names, name]).join("\n"));
  return (
    <div className="stack tight">
      <AreaField
        label="Events"
        hint="One name a line: an event, a group such as batch.*, or * for everything that Gemini sends."
        rows={Math.min(6, Math.max(2, value.split("\n").length))}
        value={value}
        onText={onText}
        fault={fault}
      />
      <p className="row chips">
        {CHOICES.map((name) => (
          <button
            key={name}
            type="button"
            className="chip"
            aria-pressed={names.includes(name)}
            onClick={() => toggle(name)}
          >
            {name === "*" ? "* all" : name}
          </button>
        ))}
      </p>
    </div>
  );
}
