// The secrets of a source or a target by what identifies them, and what was lost with the master key.

import type { Schemas } from "@sluice/client/client";

import { Moment, Ago } from "../ui/time.tsx";

export function SecretTable({ secrets }: { secrets: readonly Schemas["SigningSecret"][] }) {
  return (
    <div className="table-scroll">
      <table className="plain" aria-label="Signing secrets">
        <thead>
          <tr>
            <th scope="col">Secret</th>
            <th scope="col">Valid</th>
          </tr>
        </thead>
        <tbody>
          {secrets.map(({ truncated_secret, expire_time, variable }, index) => (
            <tr key={truncated_secret + String(index)}>
              <td>
                <code>{truncated_secret}</code>
                {variable !== undefined && (
                  <span className="muted">
                    {" "}
                    from <code>{variable}</code>
                  </span>
                )}
              </td>
              <td>{expire_time === null ? "without an end" : <ValidUntil at={expire_time} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function ValidUntil({ at }: { at: string }) {
  return (
    <>
      until <Moment at={at} />{" "}
      <span className="muted">
        (<Ago at={at} />)
      </span>
    </>
  );
}

const LOST: Record<Schemas["LostSecret"], string> = {
  signing_secret: "its signing secret: rotate it",
  gemini_api_key: "its key of the Gemini API: set it anew",
  headers: "the values of its headers: set them anew",
  tls_client_key: "the key of its client certificate: set both anew",
  chat_url: "its URL: set it anew",
};

export function LostNote({ lost, meaning }: { lost: readonly Schemas["LostSecret"][]; meaning: string }) {
  if (lost.length === 0) return null;
  return (
    <div className="note bad">
      <p>Lost with the master key, and {meaning} until each is set anew:</p>
      <ul>
        {lost.map((one) => (
          <li key={one}>{LOST[one]}</li>
        ))}
      </ul>
    </div>
  );
}
