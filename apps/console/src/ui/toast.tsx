// Short messages at the edge of the page: copied, saved, refused. Screen readers say them.

import { useSyncExternalStore } from "react";

interface ToastMessage {
  id: number;
  text: string;
  isBad: boolean;
}

const SHOWN_MS = 5_000;

let messages: readonly ToastMessage[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function changeMessages(next: readonly ToastMessage[]): void {
  messages = next;
  for (const tell of listeners) tell();
}

export function say(text: string, { isBad = false } = {}): void {
  const message = { id: ++lastId, text, isBad };
  changeMessages([...messages.slice(-2), message]);
  setTimeout(() => changeMessages(messages.filter((one) => one !== message)), SHOWN_MS);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => messages,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, isBad }) => (
        <p key={id} className={isBad ? "toast bad" : "toast"}>
          {text}
        </p>
      ))}
    </div>
  );
}
