// Mailboxes, as a person meets them, against a stand-in for a mail server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { axe, expect, freePort, signUp, startSimulator, startTern, test as base } from "../support/fixtures";

const MAILBOX = { user: "ann@tern.example", password: "simulator-mail-password-0001" };

const test = base.extend<{ port: string }>({
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

/** Fills the form for a mailbox on a server of one's own; the stand-in's certificate is nobody's, so it goes in clear. */
async function fill(page: Page, port: string, password = MAILBOX.password) {
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

test("a mailbox is connected, sends, and says that it is not secure", async ({ page, port, simulator }) => {
  await signUp(page);
  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("E-mail address")).toBeHidden();
  await dialog.getByRole("radio", { name: "E-mail" }).check({ force: true });
  await expect(dialog.getByLabel("Phone number")).toBeHidden();
  await expect(dialog.getByText("Needs an app password")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Connect Account" })).toBeDisabled();

  await fill(page, port, "wrong");
  await expect(dialog.getByText("travel in clear")).toBeVisible();
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
  await expect(dialog.getByLabel("Host", { exact: true })).toHaveValue("localhost");
  await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  const row = page.getByRole("row", { name: "Ann at Tern" });
  await expect(row).toContainText(MAILBOX.user);
  await expect(row.getByText("E-mail", { exact: true })).toBeVisible();
  await expect(row).toContainText("No TLS");
  expect(await axe(page)).toEqual([]);

  await row.getByRole("link", { name: "Edit" }).click();
  await dialog.getByText("Replace credentials").click();
  await dialog.getByLabel("Password", { exact: true }).fill("wrong");
  await dialog.getByRole("button", { name: "Test and replace" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
  await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
  await dialog.getByRole("button", { name: "Test and replace" }).click();
  await expect(dialog).toHaveCount(0);

  const mail = { channel: "email", to: "kim@example.com", subject: "Hello", body: "Hello Kim" };
  const sent = await page.request.post("/api/messages?wait=20", { data: mail });
  expect(await sent.json()).toMatchObject({ status: "sent" });
  expect(await (await fetch(`${simulator.url}/mail`)).json()).toMatchObject([{ to: ["kim@example.com"], user: MAILBOX.user }]);
  await expect(row.getByRole("meter")).toHaveAttribute("aria-valuetext", "1 of 100 messages");
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("the same form connects a mailbox and keeps what was typed", async ({ page, port }) => {
    await signUp(page);
    await page.getByRole("link", { name: "Add Account" }).click();
    await fill(page, port, "wrong");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Connect Account" }).click();
    await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
    for (const [label, value] of [["E-mail address", MAILBOX.user], ["Display name", "Ann at Tern"], ["Host", "localhost"], ["Port", port], ["Security", "none"], ["Password", ""]]) {
      await expect(dialog.getByLabel(new RegExp(`^${label}`))).toHaveValue(value);
    }
    await dialog.getByLabel("User name", { exact: true }).fill(MAILBOX.user);
    await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
    await dialog.getByRole("button", { name: "Connect Account" }).click();
    await expect(page.getByRole("row", { name: "Ann at Tern" })).toContainText("Active");
  });
});
