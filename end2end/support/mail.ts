// A mail server that is not ours: the npm package smtp-server, with a certificate of its own.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";

export const MAILBOX = { user: "ann@northwind.example", password: "grüße: a \"long\" password", token: "ya29.access" };

/** What the server took. */
export type Taken = { from: string; to: string[]; raw: Buffer; secure: boolean; method: string };

export type MailServer = { port: number; taken: Taken[]; connections: () => number; stop: () => Promise<void> };

/** A key and a certificate for localhost, in `dir`; the path of the certificate. */
export function makeCertificate(dir: string): { key: Buffer; cert: Buffer; path: string } {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  return { key: readFileSync(key), cert: readFileSync(cert), path: cert };
}

/** Listens on loopback; `secure` is TLS from the first byte, else STARTTLS is offered and asked for before AUTH. */
export async function startMailServer(tls: { key: Buffer; cert: Buffer }, options: object = {}): Promise<MailServer> {
  const taken: Taken[] = [];
  let connections = 0;
  const server = new SMTPServer({
    key: tls.key,
    cert: tls.cert,
    authMethods: ["PLAIN", "LOGIN", "XOAUTH2"],
    onConnect: (_session: unknown, done: (error?: Error) => void) => { connections += 1; done(); },
    onAuth: (auth: { username: string; password?: string; accessToken?: string; method: string }, session: { method?: string }, done: (error: Error | null, answer?: object) => void) => {
      session.method = auth.method;
      const right = auth.username === MAILBOX.user && (auth.password === MAILBOX.password || auth.accessToken === MAILBOX.token);
      if (right) done(null, { user: auth.username });
      else if (auth.method === "XOAUTH2") done(null, { data: { status: "401", schemes: "bearer" } });
      else done(Object.assign(new Error("Bad credentials"), { responseCode: 535 }));
    },
    onRcptTo: ({ address }: { address: string }, _session: unknown, done: (error?: Error) => void) => {
      const refused = address.startsWith("nobody@");
      done(refused ? Object.assign(new Error("5.1.1 No such user"), { responseCode: 550 }) : undefined);
    },
    onData: (stream: NodeJS.ReadableStream, session: any, done: (error?: Error) => void) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        taken.push({ from: mailFrom.address, to: rcptTo.map((to: { address: string }) => to.address), raw: Buffer.concat(chunks), secure: session.secure, method: session.method });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {});
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()));
  const { port } = server.server.address() as { port: number };
  return { port, taken, connections: () => connections, stop: () => new Promise<void>((done) => server.close(() => done())) };
}

/** As a mail program reads it. */
export const read = (raw: Buffer | string) => simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true });
