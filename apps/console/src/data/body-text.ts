// The bytes of a body as text. What is no UTF-8 is shown, too, with a sign for each fault.

export interface BodyText {
  text: string;
  /** Whether the bytes are UTF-8. */
  isText: boolean;
}

export function readBodyText(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): BodyText {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), isText: true };
  } catch {
    return { text: new TextDecoder().decode(bytes), isText: false };
  }
}
