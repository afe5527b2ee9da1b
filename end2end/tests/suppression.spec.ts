// Suppressions: whoever says stop is left alone, and the way out of a mail works for anybody who has it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { axe, connect, expect, freePort, open, signUp, startSimulator, startTern } from "../support/fixtures";
import { MAILBOX, test } from "../support/mailbox";

const add = async (page: Page, data: object) => (await (await page.request.post("/api/leads", { data })).json()).id as string;

test("an address is suppressed, looked up, and allowed again", async ({ page }) => {
  await signUp(page);
  await open(page, "/suppressions");
  await expect(page.getByRole("heading", { name: "Nobody is suppressed" })).toBeVisible();
  await page.getByRole("link", { name: "Suppress an address" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("kim");
  await dialog.getByRole("button", { name: "Suppress" }).click();
  await expect(dialog.getByLabel("Address")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("Address").fill("kim@example.com");
  await dialog.getByLabel("Reason").fill("Called us");
  await dialog.getByRole("button", { name: "Suppress" }).click();
  const row = page.getByRole("row", { name: "kim@example.com" });
  await expect(row).toContainText("Put on the list by your team");

  await page.getByRole("searchbox", { name: "Address" }).fill("lee@example.com");
  await page.getByRole("button", { name: "Look up" }).click();
  await expect(page.getByRole("heading", { name: "This address is not on the list" })).toBeVisible();
  await page.getByRole("searchbox", { name: "Address" }).fill("KIM@example.com");
  await page.getByRole("button", { name: "Look up" }).click();
  await row.getByRole("link", { name: "Allow kim@example.com again" }).click();
  await expect(dialog).toContainText("can be written to again");
  await dialog.getByRole("button", { name: "Allow again" }).click();
  await expect(page.getByRole("heading", { name: "Nobody is suppressed" })).toBeVisible();
});

test("who answers STOP is left alone everywhere at once, and their page says so", async ({ page, simulator, tern }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders" });
  const [account] = await (await page.request.get("/api/messaging-accounts")).json();
  const lead = await add(page, { name: "Kim Lee", phone: "+14155550199", email: "kim@example.com" });
  await open(page, `/leads/${lead}`);
  await expect(page.getByRole("button", { name: "Do not contact" })).toBeVisible();
  const inbound = { to: "+14155550132", from: "+14155550199", body: "Please stop texting me", url: `${tern.url}/webhooks/twilio/${account.id}/inbound` };
  const heard = await fetch(`${simulator.url}/simulator/inbound`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(inbound) });
  expect(await heard.json()).toEqual({ answer: 200 });

  // It appears by itself.
  const notice = page.locator(".notice.warn");
  await expect(notice).toContainText("Asked to stop: nothing is sent by E-mail, SMS, WhatsApp");
  await expect(page.locator(".timeline li")).toContainText("Please stop texting me");
  const sent = await page.request.post("/api/messages", { data: { channel: "sms", lead_id: lead, body: "Hello" } });
  expect((await sent.json()).status).toBe("suppressed");
  await page.getByRole("link", { name: "Suppressions" }).click();
  await expect(page.getByRole("row", { name: "kim@example.com" })).toContainText("Asked to stop by themselves");
  await page.getByRole("link", { name: "Allow kim@example.com again" }).click();
  await expect(page.getByRole("dialog")).toContainText("Only allow it again if they have told you so since");
  await page.getByRole("dialog").getByRole("link", { name: "Cancel" }).click();

  await open(page, `/leads/${lead}`);
  await notice.getByRole("button", { name: "They agreed to be contacted again" }).click();
  await expect(notice).toHaveCount(0);
  await page.getByRole("button", { name: "Do not contact" }).click();
  await expect(notice).toContainText("Put on the list");
});

test("the way out of a mail works without a script and without an account, and a look is not an answer", async ({ browser }) => {
  const dir = mkdtempSync(join(tmpdir(), "tern-leave-"));
  const smtp = await freePort();
  const simulator = await startSimulator("--smtp", `127.0.0.1:${smtp}`);
  const certificate = join(dir, "roots.pem");
  writeFileSync(certificate, await (await fetch(`${simulator.url}/mail/certificate`)).text());
  const tern = await startTern(simulator.url, dir, { TERN_PUBLIC_URL: "https://tern.example", SSL_CERT_FILE: certificate, TERN_ALLOW_PRIVATE_HOSTS: "127.0.0.0/8,::1/128" });
  try {
    // The browser is on loopback, where Tern is not https: it takes no secure cookie, so the owner is a program.
    const headers = { "content-type": "application/json" };
    const owner = { email: "ann@northwind.example", password: "correct horse battery", organization: "Northwind Supply" };
    const up = await fetch(`${tern.url}/api/auth/sign-up`, { method: "POST", headers, body: JSON.stringify(owner) });
    const session = { ...headers, cookie: up.headers.get("set-cookie")!.split(";")[0] };
    const post = async (path: string, body: object) => (await fetch(tern.url + path, { method: "POST", headers: session, body: JSON.stringify(body) })).json();
    const mailbox = { email_address: MAILBOX.user, smtp_host: "localhost", smtp_port: smtp, smtp_security: "starttls", smtp_username: MAILBOX.user, smtp_password: MAILBOX.password };
    expect(await post("/api/email-accounts", mailbox)).toMatchObject({ connection_status: "connected" });
    const lead = await post("/api/leads", { email: "kim@example.com", phone: "+14155550199" });
    await post("/api/messages?wait=20", { channel: "email", lead_id: lead.id, subject: "Hello", body: "Hello Kim" });
    const [mail] = await (await fetch(`${simulator.url}/mail`)).json();
    const link = /List-Unsubscribe: <https:\/\/tern\.example(\/u\/[0-9a-z]+)>/.exec(mail.raw.replace(/\r\n /g, " "))![1];

    const context = await browser.newContext({ baseURL: tern.url, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(link);
    await expect(page.getByRole("heading", { name: "Unsubscribe?" })).toBeVisible();
    await expect(page.locator("main")).toContainText("Northwind Supply to k…@example.com");
    const list = async () => (await (await fetch(`${tern.url}/api/suppressions`, { headers: session })).json()).data;
    expect(await list()).toEqual([]);
    await page.getByRole("button", { name: "Unsubscribe" }).click();
    await expect(page.getByRole("heading", { name: "You are unsubscribed" })).toBeVisible();
    expect(await list()).toHaveLength(3);
    await page.goto("/u/nothing");
    await expect(page.getByRole("heading", { name: "This link does not work" })).toBeVisible();
    await context.close();

    const scripted = await (await browser.newContext({ baseURL: tern.url, bypassCSP: true })).newPage();
    await open(scripted, link);
    await expect(scripted.getByRole("heading", { name: "You are unsubscribed" })).toBeVisible();
    expect(await axe(scripted)).toEqual([]);
    await scripted.context().close();
  } finally {
    await tern.stop();
    await simulator.stop();
    rmSync(dir, { recursive: true });
  }
});
