// A Tern that may reach a mail server on this machine, and the stand-in's own mailbox.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { freePort, startSimulator, startTern, test as base } from "./fixtures";

export const MAILBOX = { user: "ann@tern.example", password: "simulator-mail-password-0001", token: "simulator-access-token-0001" };

export const test = base.extend<{ port: string }>({
  port: async ({}, use) => use(String(await freePort())),
  simulator: async ({ port }, use) => {
    const simulator = await startSimulator("--smtp", `127.0.0.1:${port}`);
    await use(simulator);
    await simulator.stop();
  },
  tern: async ({ simulator }, use, info) => {
    const dataDir = mkdtempSync(join(tmpdir(), "tern-end2end-"));
    const tern = await startTern(simulator.url, dataDir, { TERN_ALLOW_PRIVATE_HOSTS: "127.0.0.0/8,::1" });
    await use(tern);
    await tern.stop();
    if (info.status !== info.expectedStatus) await info.attach("tern.log", { body: tern.output });
    rmSync(dataDir, { recursive: true });
  },
});

/** An IMAP server with an empty inbox that lets `times` people in, and nobody after them. */
export async function startInbox(times: number): Promise<{ port: string; stop(): void }> {
  const server = createServer((socket) => {
    socket.write("* OK ready\r\n");
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().split("\r\n").filter(Boolean)) {
        const [tag, command] = line.split(" ");
        if (command === "CAPABILITY") socket.write("* CAPABILITY IMAP4rev1\r\n");
        if (command === "EXAMINE") socket.write("* OK [UIDVALIDITY 1] so\r\n* OK [UIDNEXT 1] so\r\n");
        const isRefused = command === "LOGIN" && times-- <= 0;
        socket.write(`${tag} ${isRefused ? "NO [AUTHENTICATIONFAILED] Invalid credentials" : "OK done"}\r\n`);
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { port: String((server.address() as { port: number }).port), stop: () => void server.close() };
}

/** Fills the form for a mailbox on a server of one's own; the stand-in's certificate is nobody's, so it goes in clear. */
export async function fillMailbox(page: Page, port: string, password = MAILBOX.password) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "E-mail" }).check({ force: true });
  await dialog.getByLabel("E-mail address").fill(MAILBOX.user);
  await dialog.getByLabel("Display name").fill("Ann at Tern");
  await dialog.getByRole("radio", { name: "Own server" }).check();
  await dialog.getByLabel("Host", { exact: true }).fill("localhost");
  await dialog.getByLabel("Port", { exact: true }).fill(port);
  await dialog.getByLabel("Security").selectOption("none");
  await dialog.getByLabel("User name", { exact: true }).fill(MAILBOX.user);
  await dialog.getByLabel("Password", { exact: true }).fill(password);
}
