// What the endpoints of sources share: the dependencies that they need, and the parts of their descriptions.

import type { AddressGuard } from "@sluice/shared/address/guard";
import { parseId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Secret } from "@sluice/shared/settings/secret";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { SigningSecret } from "@sluice/signature/secret";
import type { Verdict } from "@sluice/signature/verify";
import type { Database } from "@sluice/store/connection/database";

import type { CapturedRequest } from "../../http/captured-request.ts";
import { idParameter } from "../openapi/endpoint.ts";

export interface SourcesDependencies {
  db: Database;
  masterKey: MasterKey;
  /** The signing secret of the source `gemini` that the environment sets. */
  geminiSigningSecret: SigningSecret | undefined;
  /** Says where key sets may be. */
  keySetGuard: AddressGuard;
  /** `GEMINI_API_KEY`, the key of the Gemini API for the source `gemini` where it holds none. */
  geminiApiKey: Secret<string> | undefined;
  /** The public URL of the ingress, without a slash at its end. */
  publicUrl: string | undefined;
  /** Resolves when the ingress of this gateway has loaded the changed sources. */
  sourcesChanged: () => Promise<void>;
  /** Judges a captured request as the ingress would, and changes nothing. @throws SluiceError `not_found`, `unavailable` */
  examine: (request: CapturedRequest) => Promise<Verdict>;
  log: Logger;
}

export const sourceTags = ["sources"];
export const sourceParams = idParameter("src", "the source");

/** @returns the UUID of the id in the path. @throws SluiceError `invalid_id` */
export const readSourceId = (text: string) => parseId("src", text, "{id}");
