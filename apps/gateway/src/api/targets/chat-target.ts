// What is different about a chat target in the API: its URL is a secret, and what serves to verify or to authenticate a
// request has no place.

import { type ChatKind, isChatKind, type TargetKind } from "@sluice/shared/domain/target-kinds";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import type { TargetSettings } from "@sluice/store/configuration/targets";

import { invalidRequest } from "../http/invalid-request.ts";

/** Where the services themselves are. Whoever reads a request to one of them on its way could write to the channel. */
const PUBLIC_SERVICE =
  /(?:^|\.)(?:slack(?:-gov)?\.com|googleapis\.com|discord(?:app)?\.com|office\.com|azure\.com|powerplatform\.com)$/i;

/**
 * The address of a target after a change. For a chat target the whole URL goes to `chatUrl`, and `uri` is its origin, which
 * is what every answer shows. A caller that sends back what it read keeps the stored URL.
 * @param stored what the target has; undefined for a new one.
 * @throws SluiceError `invalid_request`
 */
export function addressFor(
  kind: TargetKind,
  uri: string,
  stored: Pick<TargetSettings, "uri" | "chatUrl"> | undefined,
): Pick<TargetSettings, "uri" | "chatUrl"> {
  if (!isChatKind(kind)) return { uri, chatUrl: null };
  if (stored !== undefined && stored.chatUrl !== null && uri === stored.uri) return { uri, chatUrl: stored.chatUrl };
  const url = new URL(uri);
  if (url.pathname === "/" && url.search === "") {
    throw uriRefusal("must be the whole URL of the incoming webhook: answers show only its origin");
  }
  if (url.protocol === "http:" && PUBLIC_SERVICE.test(url.hostname)) {
    throw uriRefusal("must be https, because the URL is a secret");
  }
  return { uri: url.origin, chatUrl: uri };
}

const uriRefusal = (detail: string) => invalidRequest([{ pointer: "/uri", detail }]);

/** @throws SluiceError `invalid_request` that names each setting that a chat target cannot have. */
export function refuseForeignToChat({ kind, headers, tls }: TargetSettings): void {
  if (!isChatKind(kind)) return;
  const faults: Fault[] = [];
  if (Object.keys(headers).length > 0) faults.push({ pointer: "/headers", detail: foreign(kind) });
  if (tls !== null && tls.clientCertificate !== null) {
    faults.push({ pointer: "/tls/client_certificate", detail: foreign(kind) });
  }
  if (faults.length > 0) throw invalidRequest(faults);
}

const foreign = (kind: ChatKind) => `is only for http targets, and this one is ${kind}: its URL is its credential`;

/** @throws SluiceError `wrong_kind` for a target that signs nothing. */
export function requireSigning({ kind }: Pick<TargetSettings, "kind">): void {
  if (!isChatKind(kind)) return;
  throw new SluiceError(
    "wrong_kind",
    `A target of the kind ${kind} has no signing secret: nobody verifies its messages`,
  );
}
