// Copying to the clipboard, also in pages without TLS, where browsers hide the modern way.

import { type ChangeCall, callAsCurl } from "../data/curl.ts";
import { say } from "./toast.tsx";

export async function copyText(text: string, what: string): Promise<void> {
  if (await putOnClipboard(text)) say(`Copied ${what}`);
  else say(`The browser did not allow to copy ${what}. Select the text and copy it by hand.`, { isBad: true });
}

async function putOnClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    // In an open dialog, only what is inside it can be selected.
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

/** @param what what is copied, with its article: "the id". */
export function CopyButton({ text, what, label = "Copy" }: { text: string; what: string; label?: string }) {
  return (
    <button type="button" className="quiet small" title={`Copy ${what}`} onClick={() => void copyText(text, what)}>
      {label}
    </button>
  );
}

/** An id in full, which one click copies. */
export function CopyId({ id }: { id: string }) {
  return (
    <button type="button" className="id" title="Copy the id" onClick={() => void copyText(id, id)}>
      {id}
    </button>
  );
}

/** What a dialog is about to do, as a command of curl. */
export function CopyCurl({ call }: { call: ChangeCall }) {
  return (
    <button type="button" className="quiet" onClick={() => void copyText(callAsCurl(call), "the command")}>
      Copy as curl
    </button>
  );
}
