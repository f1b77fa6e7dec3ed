// Parts of the forms of sources, targets and keys: groups that open when something in them is set or wrong.

import { type InputHTMLAttributes, type ReactNode, useState } from "react";

import { FormField } from "../ui/field.tsx";

interface GroupProps {
  title: string;
  /** What is set in a closed group, in short. */
  summary?: string;
  isOpen: boolean;
  children: ReactNode;
}

/** Fields that most people leave alone. */
export function FieldGroup({ title, summary, isOpen, children }: GroupProps) {
  const [isShown, setShown] = useState(isOpen);
  const [wasOpen, setWasOpen] = useState(isOpen);
  // It opens when the relay finds a fault in it, and closes only by hand.
  if (wasOpen !== isOpen) {
    setWasOpen(isOpen);
    if (isOpen) setShown(true);
  }
  return (
    <details className="field-group" open={isShown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        <strong>{title}</strong> {summary !== undefined && <span className="muted">{summary}</span>}
      </summary>
      <div className="stack">{children}</div>
    </details>
  );
}

interface TextFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> {
  label: string;
  value: string;
  onText: (text: string) => void;
  hint?: string | undefined;
  fault?: string | undefined;
}

export function TextField({ label, value, onText, hint, fault, ...input }: TextFieldProps) {
  return (
    <FormField label={label} hint={hint} fault={fault}>
      <input
        spellCheck={false}
        autoComplete="off"
        {...input}
        value={value}
        onChange={(event) => onText(event.target.value)}
      />
    </FormField>
  );
}

interface AreaFieldProps {
  label: string;
  value: string;
  onText: (text: string) => void;
  rows?: number;
  hint?: string | undefined;
  fault?: string | undefined;
  placeholder?: string;
}

export function AreaField({ label, value, onText, rows = 3, hint, fault, placeholder }: AreaFieldProps) {
  return (
    <FormField label={label} hint={hint} fault={fault}>
      <textarea
        rows={rows}
        spellCheck={false}
        placeholder={placeholder}
        value={value}
        onChange={(event) => onText(event.target.value)}
      />
    </FormField>
  );
}
