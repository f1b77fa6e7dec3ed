// What a file of settings manages: what that means for changes by hand, and how one is made all the same.

export function ManagedNote({ managedBy, what }: { managedBy: string | null; what: string }) {
  if (managedBy === null) return null;
  return (
    <p className="note warn">
      The file <code>{managedBy}</code> manages this {what}. Change it there and apply the file. A change by hand lasts
      until the file is applied again.
    </p>
  );
}

interface ForceProps {
  managedBy: string | null;
  isForced: boolean;
  onChange: (isForced: boolean) => void;
}

/** The choice to go past the file; nothing where no file manages the resource. */
export function ForceChoice({ managedBy, isForced, onChange }: ForceProps) {
  if (managedBy === null) return null;
  return (
    <label className="choice">
      <input type="checkbox" checked={isForced} onChange={(event) => onChange(event.target.checked)} />
      <span>
        Change it by hand although <code>{managedBy}</code> manages it
      </span>
    </label>
  );
}
