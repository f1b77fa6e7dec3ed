// The fields of a target. Each kind shows only its own. The relay judges them, and its faults stand at their fields.

import { plural } from "../ui/format.ts";
import { faultUnder } from "../ui/problem.tsx";
import { FilterField } from "./filter-field.tsx";
import { AreaField, FieldGroup, TextField } from "../setup/form-parts.tsx";
import { HeadersField } from "./headers-field.tsx";
import { SubscribedEventsField } from "./events-field.tsx";
import { type DraftField, isOtherOrigin, type TargetDraft, type KindOfTarget } from "./target-draft.ts";
import { splitNames } from "../setup/split-names.ts";
import { isChat, KIND_MEANINGS, KIND_NAMES } from "./target-kinds.ts";

/** The fields whose faults this form shows itself. */
export const TARGET_FIELDS = [
  "name",
  "kind",
  "uri",
  "subscribed_events",
  "filter",
  "headers",
  "timeout_seconds",
  "max_in_flight",
  "rate_limit",
  "retry",
  "delete_after_idle_seconds",
  "tls",
];

interface TargetFormProps {
  draft: TargetDraft;
  /** The draft of the stored target; undefined for a new one. */
  stored: TargetDraft | undefined;
  onChange: (change: Partial<TargetDraft>) => void;
  onKind: (kind: KindOfTarget) => void;
  error: unknown;
}

export function TargetForm({ draft, stored, onChange, onKind, error }: TargetFormProps) {
  const text = (field: DraftField, pointer: string) => ({
    value: draft[field],
    onText: (value: string) => onChange({ [field]: value }),
    fault: faultUnder(error, pointer),
  });
  const { kind } = draft;
  const isPull = kind === "pull";
  return (
    <>
      {stored === undefined && <KindChoice kind={kind} onKind={onKind} />}
      <div className="form-columns">
        {!isPull && <UriField draft={draft} stored={stored} {...text("uri", "/uri")} />}
        <TextField
          label={stored === undefined ? "Name (optional)" : "Name"}
          hint={stored === undefined ? `Without one, it is ${isPull ? "“pull”" : "the host of the URL"}.` : undefined}
          {...text("name", "/name")}
        />
      </div>
      <SubscribedEventsField {...text("subscribedEvents", "/subscribed_events")} />
      <FilterField
        filter={draft.filter}
        subscribedEvents={splitNames(draft.subscribedEvents)}
        onText={(filter) => onChange({ filter })}
        saveError={error}
      />
      {kind === "http" && (
        <FieldGroup
          title="Headers"
          summary={draft.headers.length === 0 ? "none" : draft.headers.map(({ name }) => name).join(", ")}
          isOpen={draft.headers.length > 0 || faultUnder(error, "/headers") !== undefined}
        >
          <HeadersField headers={draft.headers} onChange={(headers) => onChange({ headers })} error={error} />
        </FieldGroup>
      )}
      <PaceFields draft={draft} text={text} error={error} />
      {!isPull && <TlsFields draft={draft} text={text} error={error} onChange={onChange} />}
    </>
  );
}

type FieldText = (
  field: DraftField,
  pointer: string,
) => { value: string; onText: (text: string) => void; fault: string | undefined };

function KindChoice({ kind, onKind }: { kind: KindOfTarget; onKind: (kind: KindOfTarget) => void }) {
  return (
    <fieldset className="kinds">
      <legend>Kind</legend>
      {(Object.keys(KIND_NAMES) as KindOfTarget[]).map((one) => (
        <label key={one} className="kind">
          <input type="radio" name="kind" checked={kind === one} onChange={() => onKind(one)} /> {KIND_NAMES[one]}
        </label>
      ))}
      <p className="hint">{KIND_MEANINGS[kind]} The kind cannot be changed later.</p>
    </fieldset>
  );
}

interface UriProps {
  draft: TargetDraft;
  stored: TargetDraft | undefined;
  value: string;
  onText: (text: string) => void;
  fault: string | undefined;
}

function UriField({ draft, stored, ...field }: UriProps) {
  if (isChat(draft.kind)) {
    const hint =
      stored === undefined
        ? `Copy it from ${KIND_NAMES[draft.kind]}. It is a secret: the relay encrypts it and shows only its host.`
        : "Only the host is shown, because the URL is a secret. Leave it to keep the stored URL.";
    return <TextField label="URL of the incoming webhook" hint={hint} inputMode="url" {...field} />;
  }
  const isMoved = stored !== undefined && isOtherOrigin(draft.uri, stored.uri);
  return (
    <TextField
      label="URL"
      inputMode="url"
      placeholder="http://billing.internal:3000/gemini"
      hint={
        isMoved
          ? "Another origin: stored header values and the client certificate do not go there. Give them again."
          : undefined
      }
      {...field}
    />
  );
}

function PaceFields({ draft, text, error }: { draft: TargetDraft; text: FieldText; error: unknown }) {
  // A chat service takes a message a second. The relay's default follows it.
  const defaults = isChat(draft.kind) ? { maxInFlight: "1", rate: "1" } : { maxInFlight: "64", rate: "" };
  const hasFault = ["/timeout_seconds", "/max_in_flight", "/rate_limit", "/retry", "/delete_after_idle_seconds"].some(
    (pointer) => faultUnder(error, pointer) !== undefined,
  );
  const number = { inputMode: "decimal" } as const;
  return (
    <FieldGroup title="Pace and retries" summary={summaryOf(draft)} isOpen={hasFault}>
      {draft.kind !== "pull" && (
        <div className="form-columns">
          <TextField
            label="Timeout, seconds"
            placeholder="20"
            hint="1 to 30"
            {...number}
            {...text("timeoutSeconds", "/timeout_seconds")}
          />
          <TextField
            label="In flight, at most"
            placeholder={defaults.maxInFlight}
            hint="1 to 1,000"
            {...number}
            {...text("maxInFlight", "/max_in_flight")}
          />
          <TextField
            label="Rate limit: requests"
            placeholder={defaults.rate}
            hint="Leave both empty for no limit"
            {...number}
            {...text("rateRequests", "/rate_limit/requests")}
          />
          <TextField
            label="in this many seconds"
            placeholder={defaults.rate}
            {...number}
            {...text("rateSeconds", "/rate_limit/per_seconds")}
          />
        </div>
      )}
      <div className="form-columns">
        <TextField
          label="First retry after, seconds"
          placeholder="5"
          {...number}
          {...text("retryBase", "/retry/base_seconds")}
        />
        <TextField
          label="Longest wait, seconds"
          placeholder="3600"
          {...number}
          {...text("retryCap", "/retry/cap_seconds")}
        />
        <TextField
          label="Give up after, seconds"
          placeholder="86400"
          hint="86400 is a day"
          {...number}
          {...text("retryHorizon", "/retry/horizon_seconds")}
        />
        {draft.kind === "pull" && (
          <TextField
            label="Delete when nobody pulled for, seconds"
            hint="Empty: never"
            {...number}
            {...text("deleteAfterIdle", "/delete_after_idle_seconds")}
          />
        )}
      </div>
    </FieldGroup>
  );
}

interface TlsProps {
  draft: TargetDraft;
  text: FieldText;
  error: unknown;
  onChange: (change: Partial<TargetDraft>) => void;
}

function TlsFields({ draft, text, error, onChange }: TlsProps) {
  const kept = draft.hasTls ? " Empty: what is stored stays." : "";
  return (
    <FieldGroup
      title="TLS"
      summary={draft.hasTls ? "set" : "a CA of your own, a client certificate"}
      isOpen={draft.tlsServerName !== "" || faultUnder(error, "/tls") !== undefined}
    >
      <AreaField
        label="CA certificates, in PEM"
        hint={`Instead of those of the system.${kept}`}
        {...text("tlsCa", "/tls/ca")}
      />
      <TextField
        label="Name in the certificate of the target"
        hint="If it is not the host of the URL"
        {...text("tlsServerName", "/tls/server_name")}
      />
      {draft.kind === "http" && (
        <>
          <AreaField
            label="Client certificate, in PEM"
            hint={`By which the relay proves itself.${kept}`}
            {...text("tlsCertificate", "/tls/client_certificate")}
          />
          <AreaField
            label="Key of the client certificate, in PEM"
            hint="Stored encrypted, and never shown."
            {...text("tlsKey", "/tls/client_key")}
          />
        </>
      )}
      {draft.hasTls && (
        <label className="choice">
          <input
            type="checkbox"
            checked={draft.removesTls}
            onChange={(event) => onChange({ removesTls: event.target.checked })}
          />
          <span>Remove all settings of TLS that are stored</span>
        </label>
      )}
    </FieldGroup>
  );
}

function summaryOf({ kind, maxInFlight, rateRequests, rateSeconds }: TargetDraft): string {
  if (kind === "pull") return "as usual";
  const rate = rateRequests === "" ? [] : [`${plural(Number(rateRequests), "request")} in ${rateSeconds} s`];
  const parts = [...(maxInFlight === "" ? [] : [`${maxInFlight} in flight`]), ...rate];
  return parts.length === 0 ? "as usual" : parts.join(", ");
}
