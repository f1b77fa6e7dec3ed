// A new secret, which the relay shows once: a copy button, and where it belongs.

import type { ReactNode } from "react";

import { CopyButton } from "./copy.tsx";
import { Modal } from "./dialog.tsx";

interface SecretProps {
  title: string;
  secret: string;
  /** Where the secret belongs, in a sentence. */
  children: ReactNode;
  onClose: () => void;
}

export function NewSecretDialog({ title, secret, children, onClose }: SecretProps) {
  return (
    <Modal title={title} onClose={onClose}>
      <p>{children}</p>
      <p className="secret">
        <code>{secret}</code> <CopyButton text={secret} what="the secret" />
      </p>
      <p className="muted">The relay shows it this once. It cannot be read again.</p>
      <footer className="row end">
        <button type="button" className="primary" onClick={onClose}>
          I have stored it
        </button>
      </footer>
    </Modal>
  );
}
