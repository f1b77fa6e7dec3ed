// One HTTP request on a connection of its own, so that no stop of a server has to wait for an idle connection.

import { get } from "node:http";

/** Status 0 means that no complete answer came within the time limit. */
export async function httpGet(url: string, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("close", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.once("timeout", () => request.destroy()).once("error", () => resolve({ status: 0, body: "" }));
  });
}
