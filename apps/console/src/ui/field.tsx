// A field of a form: its label, what it is for, and the fault that the relay found in it.

import { cloneElement, type ReactElement, useId } from "react";

interface FormFieldProps {
  label: string;
  hint?: string | undefined;
  fault?: string | undefined;
  /** One input, select or textarea. */
  children: ReactElement<{ id?: string; "aria-describedby"?: string; "aria-invalid"?: boolean }>;
}

export function FormField({ label, hint, fault, children }: FormFieldProps) {
  const id = useId();
  const describedBy = [hint !== undefined && `${id}-hint`, fault !== undefined && `${id}-fault`].filter(Boolean);
  return (
    <div className={fault === undefined ? "field" : "field faulty"}>
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, {
        id,
        ...(describedBy.length > 0 && { "aria-describedby": describedBy.join(" ") }),
        ...(fault !== undefined && { "aria-invalid": true }),
      })}
      {hint !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault !== undefined && (
        <p className="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}
