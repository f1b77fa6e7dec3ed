// The keyboard: moving in lists and between screens, copying, and the page that lists the keys.

import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { queries } from "../data/client.ts";
import { readAsCurl } from "../data/curl.ts";
import { copyText } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { say } from "../ui/toast.tsx";
import { SCREENS } from "./screens.ts";

const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ["/", "Go to the first filter, or to the field for any id"],
  ["j k", "Next and previous row"],
  ["Enter", "Open the row"],
  ["Esc", "Close, or leave a field"],
  ["c", "Copy the row, the action or the page as a command of curl; $KEY stands for the key"],
  ["y", "Copy the id of the row or of the page"],
  ["r", "Refresh"],
  [".", "Go to the actions of the page"],
  ["?", "Show these keys"],
];

/** A pause longer than this between `g` and its letter is none. */
const SEQUENCE_MS = 1_500;

export function Keyboard() {
  const [isShown, setShown] = useState(false);
  const navigate = useNavigate();
  useEffect(() => {
    let goSinceMs = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof HTMLElement && isTyping(event.target)) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      if (document.querySelector("dialog[open]") !== null) return;
      const screen = SCREENS.find(({ key }) => key === event.key);
      if (screen !== undefined && Date.now() - goSinceMs < SEQUENCE_MS) {
        goSinceMs = 0;
        event.preventDefault();
        void navigate({ to: screen.to, search: {} });
        return;
      }
      goSinceMs = event.key === "g" ? Date.now() : 0;
      if (event.key === "?") setShown(true);
      else if (act(event.key)) event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [navigate]);
  return isShown ? <KeysDialog onClose={() => setShown(false)} /> : null;
}

function isTyping(element: HTMLElement): boolean {
  return element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);
}

/** @returns whether the key means something here. */
function act(key: string): boolean {
  switch (key) {
    case "/":
      return focusFirst("main [data-find]") || focusFirst(".go input");
    case "j":
      return moveRow(1);
    case "k":
      return moveRow(-1);
    case ".":
      return focusFirst("main .page-head > .row :is(button, a)");
    case "r":
      void queries.invalidateQueries();
      say("Refreshed");
      return true;
    case "c":
      return copyAction() || copyShown("data-api", (path) => copyText(readAsCurl(path), "the command"));
    case "y":
      return copyShown("data-id", (id) => copyText(id, id));
    default:
      return false;
  }
}

function focusFirst(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector);
  element?.focus();
  return element !== null;
}

function moveRow(step: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const current = document.activeElement?.closest("tr, [role=listitem]")?.querySelector<HTMLElement>("[data-row]");
  const next = current ? rows.indexOf(current) + step : step === 1 ? 0 : rows.length - 1;
  rows[next]?.focus();
  rows[next]?.closest("tr, [role=listitem]")?.scrollIntoView({ block: "nearest" });
  return rows.length > 0;
}

/** Copies what the focused button does. */
function copyAction(): boolean {
  const command = document.activeElement?.getAttribute("data-curl") ?? null;
  if (command !== null) void copyText(command, "the command");
  return command !== null;
}

/** Copies what the focused row says of itself, else what the page does. */
function copyShown(attribute: "data-api" | "data-id", copy: (text: string) => Promise<void>): boolean {
  const row = document.activeElement?.closest(`[${attribute}]`)?.getAttribute(attribute);
  const page = document.querySelector(`main [${attribute.replace("data-", "data-page-")}]`);
  const text = row ?? page?.getAttribute(attribute.replace("data-", "data-page-"));
  if (text === null || text === undefined) {
    say("There is nothing to copy here. Move to a row with j first.");
    return true;
  }
  void copy(text);
  return true;
}

function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal title="Keys" onClose={onClose} isWide>
      <div className="keys">
        <dl>
          {KEYS.map(([keys, meaning]) => (
            <KeyLine key={keys} keys={keys} meaning={meaning} />
          ))}
        </dl>
        <dl>
          {SCREENS.map(({ key, label }) => (
            <KeyLine key={key} keys={`g ${key}`} meaning={label} />
          ))}
        </dl>
      </div>
    </Modal>
  );
}

function KeyLine({ keys, meaning }: { keys: string; meaning: string }) {
  return (
    <div>
      <dt>
        {keys.split(" ").map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{meaning}</dd>
    </div>
  );
}
