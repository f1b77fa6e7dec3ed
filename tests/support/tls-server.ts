// A target over TLS. It keeps the name that each connection asked for, and who the client proved to be.

import { createServer } from "node:https";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import type { TestCertificates } from "./certificates.ts";
import { listenOnLoopback } from "./listen.ts";

export interface TlsServer {
  port: number;
  /** For each request, the name in the handshake and the subject of the client's certificate. */
  requests: { serverName: string | false | null; client: string | undefined }[];
  /** The number of open connections. */
  open: () => number;
  close: () => void;
}

/**
 * @param withClients clients must have a certificate of the same CA.
 * @param before writes to the socket of each request before the answer.
 */
export async function startTlsServer(
  certificates: TestCertificates,
  { withClients = false, before = "" } = {},
): Promise<TlsServer> {
  const { ca, certificate: cert, key } = certificates;
  const requests: TlsServer["requests"] = [];
  const sockets = new Set<Socket>();
  const server = createServer(
    { cert, key, ...(withClients && { ca, requestCert: true, rejectUnauthorized: true }), keepAliveTimeout: 60_000 },
    (request, response) => {
      const socket = request.socket as TLSSocket & { servername: string | false | null };
      const subject = socket.getPeerCertificate().subject as { CN?: string } | undefined;
      requests.push({ serverName: socket.servername, client: subject?.CN });
      if (before !== "") socket.write(before);
      response.end("ok");
    },
  );
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    requests,
    open: () => sockets.size,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export interface HeldConnections {
  port: number;
  /** How many connections wait. */
  held: () => number;
  /** From now on, everything is passed on. */
  release: () => void;
  close: () => void;
}

/** Accepts connections at once, and passes nothing on to a port before the test wants it. */
export async function holdConnectionsTo(port: number): Promise<HeldConnections> {
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  let isReleased = false;
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    const pass = () => {
      const onward = connect(port, "127.0.0.1");
      sockets.add(onward);
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
      socket.pipe(onward).pipe(socket);
    };
    if (isReleased) pass();
    else waiting.push(pass);
  });
  return {
    port: await listenOnLoopback(server),
    held: () => waiting.length,
    release: () => {
      isReleased = true;
      for (const pass of waiting.splice(0)) pass();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
