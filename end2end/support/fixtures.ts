// The world of a browser test: a real Tern with a data folder of its own, and a simulator that stands in for Twilio.
import { test as base, expect, type ConsoleMessage, type Page } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const bin = resolve(process.env.TERN_BIN ?? join(__dirname, "../../target/tern/tern"));

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** A program of the test; its output is shown when it ends by itself or never answers. */
export class Program {
  output = "";
  private child!: ChildProcess;
  private constructor(private args: string[], private env: Record<string, string>, readonly url: string, private ready: string) {}

  static async start(args: string[], env: Record<string, string>, url: string, ready: string): Promise<Program> {
    const program = new Program(args, env, url, ready);
    await program.again();
    return program;
  }

  /** Starts it as it was started before, and waits until it answers. */
  async again(): Promise<void> {
    this.child = spawn(bin, this.args, { cwd: dirname(bin), env: { ...process.env, ...this.env } });
    const note = (chunk: Buffer) => { this.output = (this.output + chunk).slice(-200_000); };
    this.child.stdout?.on("data", note);
    this.child.stderr?.on("data", note);
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      if (this.child.exitCode !== null) break;
      if (await fetch(this.url + this.ready).then(() => true, () => false)) return;
      await new Promise((wait) => setTimeout(wait, 50));
    }
    this.child.kill("SIGKILL");
    throw new Error(`${this.args[0]} does not answer at ${this.url}${this.ready}:\n${this.output}`);
  }

  /** Ends the program as an operator would, and insists after ten seconds. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGTERM");
    const insist = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(insist);
  }
}

export async function startSimulator(...args: string[]): Promise<Program> {
  const port = await freePort();
  return Program.start(["simulate", "--listen", `127.0.0.1:${port}`, ...args], {}, `http://127.0.0.1:${port}`, "/simulator/accepted");
}

export async function startTern(twilio: string, dataDir: string, env: Record<string, string> = {}): Promise<Program> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  return Program.start(["serve"], { TERN_LISTEN: `127.0.0.1:${port}`, TERN_DATA_DIR: dataDir, TWILIO_API_URL: twilio, ...env }, url, "/healthz");
}

/** Credentials that the simulator accepts. */
export const ACCOUNT = { sid: "AC00000000000000000000000000000001", token: "simulator-token-0000000000000001" };
export const OWNER = { email: "ann@northwind.example", password: "correct horse battery", organization: "Northwind Supply" };

type World = { simulator: Program; tern: Program; quiet: void };

export const test = base.extend<World>({
  simulator: async ({}, use, info) => {
    const simulator = await startSimulator();
    await use(simulator);
    await simulator.stop();
    if (info.status !== info.expectedStatus) await info.attach("simulator.log", { body: simulator.output });
  },
  tern: async ({ simulator }, use, info) => {
    const dataDir = mkdtempSync(join(tmpdir(), "tern-end2end-"));
    const tern = await startTern(simulator.url, dataDir);
    await use(tern);
    await tern.stop();
    if (info.status !== info.expectedStatus) await info.attach("tern.log", { body: tern.output });
    rmSync(dataDir, { recursive: true });
  },
  baseURL: async ({ tern }, use) => use(tern.url),
  // A page that complains to the console is not done. Chromium itself notes every answer of 4xx and 5xx; those are not complaints of ours.
  quiet: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on("console", (message: ConsoleMessage) => {
        const expected = message.text().startsWith("Failed to load resource");
        if (["error", "warning"].includes(message.type()) && !expected) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      await use();
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});
export { expect };

/** Opens a page and waits until the browser has taken it over. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

export async function hydrated(page: Page): Promise<void> {
  await expect(page.locator("body[data-hydrated]")).toHaveCount(1);
}

/** What axe finds that is serious or critical. The policy for scripts is for the product, not for this tool of the test. */
export async function axe(page: Page): Promise<string[]> {
  const source = require("node:fs").readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(source);
  const found = await page.evaluate(async () => {
    const result = await (window as unknown as { axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe.run();
    return result.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.html + " " + n.failureSummary).join(" | ")}`);
  });
  return found;
}

/** Creates the owner, as on a fresh installation, and ends on the accounts. */
export async function signUp(page: Page): Promise<void> {
  await page.goto("/");
  await page.getByLabel("Organization").fill(OWNER.organization);
  await page.getByLabel("Your e-mail").fill(OWNER.email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Create owner" }).click();
  await page.waitForURL("**/accounts");
}

export type Connection = { channel: "WhatsApp" | "SMS"; number: string; name?: string; limit?: string; token?: string };

/** Fills the form of a new Twilio account, which must be open. */
export async function fillAccount(page: Page, account: Connection): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: account.channel }).check({ force: true });
  await dialog.getByLabel("Phone number").fill(account.number);
  if (account.name) await dialog.getByLabel("Display name").fill(account.name);
  if (account.limit) await dialog.getByLabel("Daily message limit").fill(account.limit);
  await dialog.getByLabel("Account SID").fill(ACCOUNT.sid);
  await dialog.getByLabel("Auth Token").fill(account.token ?? ACCOUNT.token);
}

/** Connects a Twilio account through the page. */
export async function connect(page: Page, account: Connection): Promise<void> {
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillAccount(page, account);
  await page.getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("row", { name: account.name ?? account.number })).toBeVisible();
}
