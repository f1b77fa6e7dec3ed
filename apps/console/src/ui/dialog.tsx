// A modal dialog: the browser's own, which keeps the focus inside and closes with Escape.

import { type ReactNode, useEffect, useId, useRef } from "react";

import { Icon } from "./icon.tsx";

interface ModalProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** For forms and payloads. */
  isWide?: boolean;
}

/** It is open as long as it is rendered. */
export function Modal({ title, onClose, children, isWide = false }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} className={isWide ? "wide" : ""} aria-labelledby={titleId} onClose={onClose}>
      <div className="dialog-content">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="quiet square" aria-label="Close" onClick={() => dialog.current?.close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
