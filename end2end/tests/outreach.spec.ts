// What an outreach team does all day, in one go: people brought in from a messy file, texts for three channels, a sequence that is
// forecast and goes out under its limits; one answers, one says stop, one unsubscribes with one click.
import { ACCOUNT, expect, open, signUp } from "../support/fixtures";
import { MAILBOX, test } from "../support/mailbox";
import type { Page } from "@playwright/test";

const LIMIT = 120;

/** Five thousand rows as people keep them; every twentieth is bad. */
function messy(): Buffer {
  const lines = ["Kontakt;Post;Handy-Nr.;Firma"];
  for (let n = 0; n < 5000; n++) {
    if (n % 20 === 3) lines.push(`Bad ${n};not an address;;Acme`);
    else lines.push(`Jürgen ${n};kim${n}@example.com;0151 ${String(2345000 + n)}9;Messe GmbH`);
  }
  return Buffer.from(lines.join("\r\n"), "latin1");
}

async function template(page: Page, name: string, channel: string, text: string) {
  await open(page, "/templates/new");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("radio", { name: channel }).check({ force: true });
  if (channel === "E-mail") await page.getByLabel("Subject").fill("After the fair");
  await page.getByLabel("Text", { exact: true }).fill(text);
  await expect(page.getByRole("complementary", { name: "Preview" })).toContainText("Jürgen");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

test("a team reaches five thousand people, and whoever answers or says stop is left alone", async ({ page, simulator, tern, port }) => {
  test.setTimeout(240_000);
  await signUp(page);
  const mailbox = { email_address: MAILBOX.user, smtp_host: "localhost", smtp_port: Number(port), smtp_security: "none", smtp_username: MAILBOX.user, smtp_password: MAILBOX.password, daily_send_limit: LIMIT };
  expect((await page.request.post("/api/email-accounts", { data: mailbox })).status()).toBe(201);
  const number = (channel: string, phone_number: string) => page.request.post("/api/messaging-accounts", { data: { provider: "twilio", channel, phone_number, account_sid: ACCOUNT.sid, auth_token: ACCOUNT.token } });
  const sms = await number("sms", "+14155550132");
  expect(sms.status()).toBe(201);
  expect((await number("whatsapp", "+14155550132")).status()).toBe(201);
  const account = (await sms.json()).id;
  expect((await page.request.patch("/api/rules", { data: { quiet_hours: false } })).status()).toBe(200);

  // The file: one column is put right, bad rows are named.
  await open(page, "/leads/import");
  await page.getByLabel("File").setInputFiles({ name: "messe.csv", mimeType: "text/csv", buffer: messy() });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByText("5000 rows, windows-1252")).toBeVisible();
  await expect(page.getByLabel("Firma")).toHaveValue("company");
  await page.getByLabel("Firma").selectOption("custom.firma");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Country of numbers").fill("de");
  await page.getByLabel("Tags to add").fill("Messe");
  await page.getByLabel("Why may you write").fill("Trade fair 2026, paper form");
  await page.getByRole("button", { name: "Check the rows" }).click();
  const start = page.getByRole("button", { name: "Import 4750 rows" });
  await expect(start).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole("row", { name: "Line 5 " })).toContainText("must be an e-mail address");
  await start.click();
  await expect(page.getByRole("heading", { name: "Imported" })).toBeVisible({ timeout: 30_000 });

  // Three texts, each beside what a lead gets.
  await template(page, "Letter", "E-mail", "Dear {{ first_name }} of {{ custom.firma }},\nwill you come back? {{ unsubscribe_url }}");
  await template(page, "Short", "SMS", "Hi {{ first_name }}, did you see our mail?");
  await template(page, "Chat", "WhatsApp", "Hi {{ first_name }}, a word?");

  // The sequence.
  await open(page, "/sequences/new");
  await page.getByLabel("Name", { exact: true }).fill("After the fair");
  const texts = [["E-mail", "Letter", "0"], ["SMS", "Short", "24"], ["WhatsApp", "Chat", "48"]];
  for (const [at, [channel, text, delay]] of texts.entries()) {
    if (at > 0) await page.getByRole("button", { name: "Add step" }).click();
    const step = page.getByRole("group", { name: `Step ${at + 1}`, exact: true });
    await step.getByLabel("Channel").selectOption(channel);
    await step.getByLabel("Template").selectOption(text);
    await step.getByLabel(at === 0 ? "After enrolling" : "After the step before").fill(delay);
  }
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "After the fair" })).toBeVisible();
  const here = new URL(page.url()).pathname;

  // What it would send, before it is on: everybody, no more than the limit on any day.
  await page.getByRole("link", { name: "Forecast" }).click();
  const panel = page.locator(".forecast");
  await panel.getByLabel("Tag").selectOption("messe");
  await panel.getByRole("button", { name: "Forecast" }).click();
  const told = page.locator("[data-forecast]");
  await expect(told.locator(".sums")).toContainText(/^4750 people get 14250 messages/, { timeout: 90_000 });
  await expect(told).not.toContainText("not complete");
  await told.getByText("Show the numbers").click();
  const days = told.getByRole("region", { name: "Numbers of the forecast by day" });
  const mailDays = days.getByRole("row").filter({ hasText: MAILBOX.user });
  await expect(mailDays.first()).toContainText(`${LIMIT}, limit reached`);
  const mails = (await mailDays.locator("td:nth-of-type(2)").allTextContents()).map(Number);
  expect([mails[0], Math.max(...mails), mails.reduce((sum, day) => sum + day, 0)]).toEqual([LIMIT, LIMIT, 4750]);

  // On it goes, as far as today's limit lets it.
  await page.getByRole("button", { name: "Switch on" }).click();
  await expect(page.locator(".head")).toContainText("Active");
  await page.getByRole("link", { name: "Enroll leads" }).click();
  await page.getByRole("dialog").getByLabel("Tag").selectOption("messe");
  await page.getByRole("dialog").getByRole("button", { name: "Enroll" }).click();
  await expect(page.locator("p.notice")).toHaveText("4750 leads are enrolled.", { timeout: 30_000 });
  const sent = page.locator(".step-list > li").first().locator(".numbers > div", { hasText: "Sent" }).locator("dd");
  await expect(sent).toHaveText(String(LIMIT), { timeout: 60_000 });
  const taken: { to: string[]; raw: string }[] = await (await fetch(`${simulator.url}/mail`)).json();
  expect(taken.length).toBe(LIMIT);
  expect(new Set(taken.flatMap((mail) => mail.to)).size).toBe(LIMIT);
  await open(page, "/accounts");
  await expect(page.getByRole("row", { name: MAILBOX.user })).toContainText(`${LIMIT} / ${LIMIT}`);
  const leads = taken.slice(0, 3).map((mail) => ({ address: mail.to[0], n: Number(/\d+/.exec(mail.to[0])![0]), raw: mail.raw }));
  const [answers, stops, leaves] = leads;
  const phone = (n: number) => `+49151${2345000 + n}9`;
  const say = async (n: number, body: string) => {
    const inbound = { to: "+14155550132", from: phone(n), body, url: `${tern.url}/webhooks/twilio/${account}/inbound` };
    const heard = await fetch(`${simulator.url}/simulator/inbound`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(inbound) });
    expect(await heard.json()).toEqual({ answer: 200 });
  };
  const lead = async (address: string) => (await (await page.request.get(`/api/leads?q=${encodeURIComponent(address)}`)).json()).data[0].id as string;

  // One answers by SMS: their run is over.
  await say(answers.n, "Yes, gladly");
  await open(page, `/leads/${await lead(answers.address)}`);
  await expect(page.locator(".run-list")).toContainText("They answered");
  await expect(page.locator(".timeline")).toContainText("Yes, gladly");

  // One says stop: on no channel does anything reach them any more.
  await say(stops.n, "STOP");
  const stopped = await lead(stops.address);
  await open(page, `/leads/${stopped}`);
  await expect(page.locator(".run-list")).toContainText("They asked not to be contacted");
  await expect(page.locator(".notice.warn")).toContainText("nothing is sent by E-mail, SMS, WhatsApp");
  for (const channel of ["email", "sms", "whatsapp"]) {
    const refused = await page.request.post("/api/messages", { data: { channel, lead_id: stopped, subject: channel === "email" ? "Hello" : undefined, body: "Hello" } });
    expect((await refused.json()).status, channel).toBe("suppressed");
  }

  // One clicks once in their mail program, which sends no cookie.
  const link = /https?:\/\/[^\s]+\/u\/[0-9a-z]+/.exec(leaves.raw.replace(/=\r?\n/g, ""))![0];
  expect((await fetch(link)).status).toBe(200);
  await open(page, `/suppressions?address=${encodeURIComponent(leaves.address)}`);
  await expect(page.getByRole("heading", { name: "This address is not on the list" })).toBeVisible();
  const click = await fetch(link, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "List-Unsubscribe=One-Click" });
  expect(click.status).toBe(200);
  await open(page, "/suppressions");
  await expect(page.getByRole("row", { name: leaves.address })).toBeVisible();
  await expect(page.getByRole("row", { name: stops.address })).toBeVisible();
  await open(page, `/leads/${await lead(leaves.address)}`);
  await expect(page.locator(".run-list")).toContainText("They asked not to be contacted");
});
