// The headers that a target gets with each delivery. A stored value is never shown: it stays, or a new one takes its place.

import { useId } from "react";

import { faultUnder } from "../ui/problem.tsx";
import { type HeaderDraft, headerPointer } from "./target-draft.ts";

interface HeadersProps {
  headers: readonly HeaderDraft[];
  onChange: (headers: HeaderDraft[]) => void;
  error: unknown;
}

export function HeadersField({ headers, onChange, error }: HeadersProps) {
  const set = (index: number, change: Partial<HeaderDraft>) =>
    onChange(headers.map((header, at) => (at === index ? { ...header, ...change } : header)));
  return (
    <div className="stack tight">
      {headers.length === 0 && <p className="hint">For example an authorization that your service asks for.</p>}
      {headers.map((header, index) => (
        <HeaderLine
          key={index}
          header={header}
          fault={faultUnder(error, headerPointer(header.name))}
          onChange={(change) => set(index, change)}
          onRemove={() => onChange(headers.filter((_, at) => at !== index))}
        />
      ))}
      <p>
        <button type="button" onClick={() => onChange([...headers, { name: "", value: "", isStored: false }])}>
          Add a header
        </button>
      </p>
    </div>
  );
}

interface HeaderLineProps {
  header: HeaderDraft;
  fault: string | undefined;
  onChange: (change: Partial<HeaderDraft>) => void;
  onRemove: () => void;
}

function HeaderLine({ header: { name, value, isStored }, fault, onChange, onRemove }: HeaderLineProps) {
  const faultId = useId();
  const invalid = fault === undefined ? {} : { "aria-invalid": true, "aria-describedby": faultId };
  return (
    <div className={fault === undefined ? "field" : "field faulty"}>
      <div className="header-line">
        <input
          aria-label="Name of the header"
          placeholder="authorization"
          spellCheck={false}
          value={name}
          readOnly={isStored}
          {...invalid}
          onChange={(event) => onChange({ name: event.target.value })}
        />
        <input
          type="password"
          autoComplete="off"
          aria-label={`Value of the header ${name}`}
          placeholder={isStored ? "stored; type to replace it" : "value"}
          value={value}
          onChange={(event) => onChange({ value: event.target.value })}
        />
        <button type="button" className="quiet" aria-label={`Remove the header ${name}`} onClick={onRemove}>
          ✕
        </button>
      </div>
      {fault !== undefined && (
        <p className="fault" id={faultId}>
          {fault}
        </p>
      )}
    </div>
  );
}
