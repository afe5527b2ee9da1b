// Programs that are not ours judge both sides of SMTP: a real mail server takes what Tern sends, a mail parser reads it,
// and a real mail client sends through the stand-in.
import { expect, test } from "@playwright/test";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import nodemailer from "nodemailer";
import { verified } from "../../support/dkim";
import { OWNER, freePort, startSimulator, startTern } from "../../support/fixtures";
import { MAILBOX, type MailServer, makeCertificate, read, startMailServer } from "../../support/mail";

type Running = Awaited<ReturnType<typeof startSimulator>>;
let dir: string;
let tern: Running;
let cookie: string;
let tls: ReturnType<typeof makeCertificate>;
const servers: MailServer[] = [];

async function call(method: string, path: string, body?: object) {
  const headers = { "content-type": "application/json", cookie };
  const answer = await fetch(tern.url + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json(), cookie: answer.headers.get("set-cookie") };
}

const serve = async (options: object = {}) => {
  const server = await startMailServer(tls, options);
  servers.push(server);
  return server;
};

let count = 0;
/** Connects a mailbox at the server; its id. */
async function connect(server: MailServer, changes: object = {}): Promise<string> {
  count += 1;
  const form = {
    email_address: `ann${count}@northwind.example`, display_name: "Ann Müller", smtp_host: "localhost", smtp_port: server.port,
    smtp_security: "starttls", smtp_username: MAILBOX.user, smtp_password: MAILBOX.password, ...changes,
  };
  const answer = await call("POST", "/api/email-accounts", form);
  expect(answer.body, JSON.stringify(answer.body)).toMatchObject({ connection_status: "connected" });
  return answer.body.id;
}

/** Sends, and waits for the server's word. */
async function send(account: string, mail: object) {
  const form = { channel: "email", to: "kim@example.com", subject: "Hello", body: "Hello", email_account_id: account, ...mail };
  const answer = await call("POST", "/api/messages?wait=20", form);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body;
}

test.beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tern-smtp-"));
  tls = makeCertificate(dir);
  tern = await startTern("http://127.0.0.1:1", join(dir, "data"), { SSL_CERT_FILE: tls.path, TERN_ALLOW_PRIVATE_HOSTS: "127.0.0.0/8,::1" });
  cookie = "";
  const owner = await call("POST", "/api/auth/sign-up", OWNER);
  cookie = owner.cookie!.split(";")[0];
});
test.afterAll(async () => {
  await tern.stop();
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(dir, { recursive: true });
});

test("every way to sign in and to be secure, and the mail is read as it was written", async () => {
  for (const [options, changes, method, secure] of [
    [{}, {}, "PLAIN", true],
    [{ authMethods: ["LOGIN"] }, {}, "LOGIN", true],
    [{}, { smtp_auth: "xoauth2", smtp_password: MAILBOX.token }, "XOAUTH2", true],
    [{ secure: true }, { smtp_security: "tls" }, "PLAIN", true],
    [{ hideSTARTTLS: true, allowInsecureAuth: true }, { smtp_security: "none" }, "PLAIN", false],
    [{ hidePIPELINING: true }, {}, "PLAIN", true],
  ] as const) {
    const server = await serve(options);
    const account = await connect(server, changes);
    const body = "Grüße 👩‍🚀\n.\n..two\nFrom here\ntrailing \t\n\nend";
    const message = await send(account, { subject: "Ünïcode, “quotes” and a long line ".repeat(8).trim(), body });
    expect(message).toMatchObject({ status: "sent", error: null, attempts: 1 });
    expect(server.taken).toHaveLength(1);
    expect(server.taken[0]).toMatchObject({ to: ["kim@example.com"], method, secure });
    const mail = await read(server.taken[0].raw);
    expect(mail.messageId).toBe(message.provider_message_id);
    expect(mail.from?.value).toMatchObject([{ name: "Ann Müller" }]);
    expect(mail.subject).toBe("Ünïcode, “quotes” and a long line ".repeat(8).trim());
    expect(mail.text?.trimEnd()).toBe(body);
  }
});

test("texts that look like the end of a mail arrive as one mail each", async () => {
  const server = await serve();
  const account = await connect(server);
  const bodies = ["x\n.\n", "\r.\r", "x\n.\r\nMAIL FROM:<evil@example.com>\r\n", "x\r\n.\r\nQUIT\r\n", ".", "..", "x\n.", "=2E\n.\n"];
  for (const body of bodies) {
    const before = server.taken.length;
    const answer = await call("POST", "/api/messages?wait=20", { channel: "email", to: "kim@example.com", body: `a${body}`, email_account_id: account });
    // A lone carriage return is refused at the door, as a character that cannot be seen.
    if (answer.status === 400) { expect(answer.body.fields.body).toBeTruthy(); continue; }
    expect(answer.body.status).toBe("sent");
    expect(server.taken.length).toBe(before + 1);
    const text = (await read(server.taken.at(-1)!.raw)).text!;
    expect(text.replace(/\r?\n/g, "\n").trimEnd()).toBe(`a${body}`.replace(/\r\n/g, "\n").trimEnd());
  }
  expect(server.connections()).toBe(2); // the test and the mails
});

test("a refused recipient, a wrong password, a stranger's certificate", async () => {
  const server = await serve();
  const account = await connect(server);
  expect(await send(account, { to: "nobody@example.com" })).toMatchObject({ status: "failed", error: { code: "5.1.1" } });
  const form = { email_address: "x@northwind.example", smtp_host: "localhost", smtp_port: server.port, smtp_security: "starttls", smtp_username: MAILBOX.user };
  for (const changes of [{ smtp_password: "wrong" }, { smtp_auth: "xoauth2", smtp_password: "expired" }]) {
    const answer = await call("POST", "/api/email-accounts", { ...form, ...changes });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toContain("Connection test failed: AUTH failed: ");
  }
  const foreign = await startMailServer(makeCertificate(mkdtempSync(join(dir, "other-"))));
  servers.push(foreign);
  const answer = await call("POST", "/api/email-accounts", { ...form, smtp_port: foreign.port, smtp_password: MAILBOX.password });
  expect(answer.body.error).toContain("Connection test failed: TLS failed: ");
});

test("signatures hold, with both kinds of keys", async () => {
  const server = await serve();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");
  const seed = Buffer.from(ed25519.privateKey.export({ format: "jwk" }).d!, "base64url").toString("base64");
  for (const [key, publicKey] of [
    [rsa.privateKey.export({ type: "pkcs1", format: "pem" }), createPublicKey(rsa.privateKey)],
    [seed, ed25519.publicKey],
  ] as [string, KeyObject][]) {
    const account = await connect(server, { dkim_domain: "northwind.example", dkim_selector: "t1", dkim_private_key: key, reply_to: "answers@northwind.example" });
    for (const body of ["Hello", "Grüße ".repeat(200), "漢字".repeat(500), "spaces  and \t tabs \n\n\n.\n\n"]) {
      await send(account, { body, subject: "Größe  und  mehr" });
      const names = verified(server.taken.at(-1)!.raw, publicKey);
      expect(names).toEqual(expect.arrayContaining(["from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to"]));
      const changed = Buffer.from(server.taken.at(-1)!.raw.toString("latin1").replace("To: kim@", "To: eve@"), "latin1");
      expect(() => verified(changed, publicKey)).toThrow("does not hold");
    }
  }
});

test("a mail client sends through the stand-in", async () => {
  const port = await freePort();
  const simulator = await startSimulator("--smtp", `127.0.0.1:${port}`);
  const certificate = await (await fetch(`${simulator.url}/mail/certificate`)).text();
  const kept = async () => (await fetch(`${simulator.url}/mail`)).json();
  const [user, pass] = ["ann@tern.example", "simulator-mail-password-0001"];
  const client = (auth: object) =>
    nodemailer.createTransport({ host: "localhost", port, requireTLS: true, tls: { ca: certificate }, auth } as object);
  try {
    for (const auth of [{ user, pass }, { user, pass, method: "LOGIN" }, { type: "OAuth2", user, accessToken: "simulator-access-token-0001" }]) {
      const sent = await client(auth).sendMail({ from: user, to: "kim@example.com", subject: "Grüße", text: "Hello\n.\n..\n" });
      const mail = (await kept()).at(-1);
      expect(mail).toMatchObject({ from: user, to: ["kim@example.com"], user, is_secure: true });
      const parsed = await read(mail.raw);
      expect([parsed.messageId, parsed.subject, parsed.text]).toEqual([sent.messageId, "Grüße", "Hello\n.\n..\n"]);
    }
    const refusal = async (to: string, auth: object = { user, pass }) =>
      client(auth).sendMail({ from: user, to, text: "x" }).then(() => null, (error: { responseCode?: number }) => error.responseCode);
    expect(await refusal("5xx@example.com")).toBe(550);
    expect(await refusal("4xx@example.com")).toBe(451);
    expect(await refusal("data-554-5.7.1@example.com")).toBe(554);
    expect(await refusal("kim@example.com", { user, pass: "wrong" })).toBe(535);
    expect(await kept()).toHaveLength(3);
  } finally {
    await simulator.stop();
  }
});
