// Sequences: written, switched on when they can send, sent step by step until somebody answers.
import { connect, expect, OWNER, open, signUp, test } from "../support/fixtures";
import type { Page } from "@playwright/test";

async function add(page: Page, path: string, data: object): Promise<string> {
  const answer = await page.request.post(path, { data });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).id;
}

const step = (page: Page, at: number) => page.getByRole("group", { name: `Step ${at}`, exact: true });
const number = (page: Page, at: number, name: string) => page.locator(".step-list > li").nth(at - 1).locator(".numbers > div", { hasText: name }).locator("dd");

test("a sequence is written, refused without an account, sent, answered, paused and deleted", async ({ page, simulator, tern }) => {
  test.setTimeout(120_000);
  await signUp(page);
  await add(page, "/api/templates", { name: "First hello", channel: "sms", body: "Hi {{ first_name }}" });
  await add(page, "/api/templates", { name: "Second try", channel: "sms", body: "Still there?" });
  await add(page, "/api/templates", { name: "Letter", channel: "email", subject: "Hello", body: "Hello" });
  const kim = await add(page, "/api/leads", { name: "Kim Lee", phone: "+14155550199", tags: ["fair"] });
  await add(page, "/api/leads", { name: "Robin Sato", phone: "+14155550177", tags: ["fair"] });
  await add(page, "/api/leads", { name: "Lee Wagner", email: "lee@example.com", tags: ["fair"] });

  // The rules: whatever the hour is where this test runs, it may be sent.
  await open(page, "/settings");
  const rules = page.locator("section", { has: page.getByRole("heading", { name: "Rules for sequences and campaigns" }) });
  await rules.getByLabel("Holidays").fill("2026-12-25\nsoon");
  await rules.getByLabel("Messages a person gets in a day").fill("0");
  await rules.getByLabel("SMS and WhatsApp wait").uncheck();
  await rules.getByRole("button", { name: "Save rules" }).click();
  await expect(rules.getByLabel("Holidays")).toHaveAttribute("aria-invalid", "true");
  await expect(rules.getByLabel("Messages a person gets in a day")).toHaveAttribute("aria-invalid", "true");
  await rules.getByLabel("Holidays").fill("2026-12-25");
  await rules.getByLabel("Messages a person gets in a day").fill("5");
  await rules.getByRole("button", { name: "Save rules" }).click();
  await expect(page.getByRole("status").filter({ hasText: "The rules are saved" })).toBeVisible();
  await open(page, "/settings");
  await expect(rules.getByLabel("SMS and WhatsApp wait")).not.toBeChecked();
  await expect(rules.getByLabel("Messages a person gets in a day")).toHaveValue("5");

  // Written: a fault stands beside its field, and steps change places with all that is in them.
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Sequences" }).click();
  await expect(page.getByRole("heading", { name: "No sequences yet" })).toBeVisible();
  await page.getByRole("link", { name: "Write your first sequence" }).click();
  await page.getByLabel("Name", { exact: true }).fill("After the fair");
  await step(page, 1).getByLabel("Channel").selectOption("SMS");
  await step(page, 1).getByLabel("Template").selectOption("Second try");
  await step(page, 1).getByLabel("After enrolling").fill("2");
  await page.getByRole("button", { name: "Add step" }).click();
  await step(page, 2).getByLabel("Channel").selectOption("SMS");
  await step(page, 2).getByLabel("After the step before").fill("soon");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(step(page, 2).getByLabel("Template")).toHaveAttribute("aria-invalid", "true");
  await expect(step(page, 2)).toContainText("Must be a number of hours");
  await expect(step(page, 1).getByLabel("Template")).not.toHaveAttribute("aria-invalid", "true");
  await step(page, 2).getByLabel("Template").selectOption("First hello");
  await step(page, 2).getByLabel("After the step before").fill("0");
  await page.getByRole("button", { name: "Move up: step 2" }).click();
  await expect(step(page, 1).getByLabel("Template").locator("option:checked")).toHaveText("First hello");
  await expect(step(page, 1).getByLabel("After enrolling")).toHaveValue("0");
  await expect(step(page, 2).getByLabel("Template").locator("option:checked")).toHaveText("Second try");
  await expect(page.getByRole("button", { name: "Move up: step 1" })).toBeDisabled();
  await page.getByRole("button", { name: "Add step" }).click();
  await page.getByRole("button", { name: "Remove: step 3" }).click();
  await expect(page.getByRole("button", { name: "Add step" })).toBeFocused();
  // A template of another channel does not stay chosen.
  await step(page, 2).getByLabel("Channel").selectOption("E-mail");
  await expect(step(page, 2).getByLabel("Template")).toHaveValue("");
  await step(page, 2).getByLabel("Channel").selectOption("SMS");
  await step(page, 2).getByLabel("Template").selectOption("Second try");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "After the fair" })).toBeVisible();
  const here = new URL(page.url()).pathname;
  await expect(page.locator(".step-list > li").nth(1)).toContainText("2 days after the step before");

  // It is on only when it can send.
  await page.getByRole("button", { name: "Switch on" }).click();
  const refusal = page.locator(".refusal");
  await expect(refusal).toContainText("There is no active account for SMS");
  await refusal.getByRole("link", { name: "Connect an account" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await open(page, "/accounts");
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders" });
  const [account] = await (await page.request.get("/api/messaging-accounts")).json();
  await open(page, here);
  await page.getByRole("button", { name: "Switch on" }).click();
  await expect(page.locator(".head")).toContainText("Active");

  // Leads come in by their tag, and what became of them is said.
  await page.getByRole("link", { name: "Enroll leads" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Enroll" }).click();
  await expect(dialog.getByLabel("Tag")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("Tag").selectOption("fair");
  await dialog.getByRole("button", { name: "Enroll" }).click();
  await expect(page.locator("p.notice")).toHaveText("2 leads are enrolled. Skipped: 1 without an address for it.");
  await expect(dialog).toHaveCount(0);
  await expect(number(page, 1, "Sent")).toHaveText("2");
  await expect(number(page, 2, "Waiting")).toHaveText("2");
  const run = (name: string) => page.getByRole("row", { name });
  await expect(run("Kim Lee")).toContainText("Step 2 is next");

  // An answer ends a run, and the page says so by itself.
  const inbound = { to: "+14155550132", from: "+14155550199", body: "Yes, tell me more", url: `${tern.url}/webhooks/twilio/${account.id}/inbound` };
  const heard = await fetch(`${simulator.url}/simulator/inbound`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(inbound) });
  expect(await heard.json()).toEqual({ answer: 200 });
  await expect(run("Kim Lee")).toContainText("They answered");
  await expect(number(page, 1, "Replied")).toHaveText("1");
  await expect(number(page, 2, "Waiting")).toHaveText("1");
  await run("Robin Sato").getByRole("button", { name: "Stop" }).click();
  await expect(run("Robin Sato")).toContainText("Stopped by your team");
  const which = page.getByRole("navigation", { name: "Which leads" });
  await which.getByRole("link", { name: "In progress" }).click();
  await expect(page.getByText("No lead is in this state.")).toBeVisible();
  await expect(which.getByRole("link", { name: "In progress" })).toHaveAttribute("aria-current", "true");
  await which.getByRole("link", { name: "Stopped" }).click();
  await expect(run("Kim Lee")).toBeVisible();
  await expect(page).toHaveURL(/\?status=stopped$/);

  // From a lead's own page.
  await open(page, `/leads/${kim}`);
  await expect(page.locator(".run-list")).toContainText("They answered");
  await page.getByLabel("Enroll in a sequence").selectOption("After the fair");
  await page.getByRole("button", { name: "Enroll" }).click();
  await expect(page.locator(".run-list li")).toHaveCount(2);
  await page.getByLabel("Enroll in a sequence").selectOption("After the fair");
  await page.getByRole("button", { name: "Enroll" }).click();
  const refused = page.getByRole("alert").filter({ hasText: "in the sequence already" });
  await expect(refused).toBeVisible();
  // It stays when the page hears of something new.
  await page.request.patch(`/api/leads/${kim}`, { data: { company: "Northwind" } });
  await expect(page.locator(".head")).toContainText("Northwind");
  await expect(refused).toBeVisible();

  await open(page, here);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.locator(".head")).toContainText("Paused");
  await page.getByRole("link", { name: "Sequences" }).first().click();
  await expect(page.getByRole("row", { name: "After the fair" })).toContainText("2 steps");
  await page.getByRole("row", { name: "After the fair" }).getByRole("link").click();
  await page.getByRole("link", { name: "Delete" }).click();
  await dialog.getByRole("button", { name: "Delete sequence" }).click();
  await expect(page.getByRole("heading", { name: "No sequences yet" })).toBeVisible();
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("the editor's buttons change the list and nothing else, and faults keep what was typed", async ({ page }) => {
    await page.goto("/");
    await page.getByLabel("Organization").fill(OWNER.organization);
    await page.getByLabel("Your e-mail").fill(OWNER.email);
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Create owner" }).click();
    await page.waitForURL("**/accounts");
    await add(page, "/api/templates", { name: "First hello", channel: "sms", body: "Hi {{ first_name }}" });
    await add(page, "/api/templates", { name: "Letter", channel: "email", subject: "Hello", body: "Hello" });
    await add(page, "/api/leads", { name: "Kim Lee", phone: "+14155550199", tags: ["fair"] });
    await page.goto("/sequences/new");
    await page.getByLabel("Name", { exact: true }).fill("After the fair");
    await page.getByRole("radio", { name: "On some days and hours" }).check();
    await page.getByLabel("Fri").uncheck();
    await page.getByLabel("When they get one of these tags").fill("done, 50% off");
    await step(page, 1).getByLabel("Template").selectOption("Letter");
    await page.getByRole("button", { name: "Add step" }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("After the fair");
    await expect(page.getByLabel("When they get one of these tags")).toHaveValue("done, 50% off");
    await expect(page.getByLabel("Fri")).not.toBeChecked();
    await expect(page.getByLabel("Mon")).toBeChecked();
    await step(page, 2).getByLabel("Channel").selectOption("SMS");
    await step(page, 2).getByLabel("After the step before").fill("x");
    await step(page, 2).getByLabel("Template").selectOption("First hello");
    await page.getByRole("button", { name: "Move up: step 2" }).click();
    await expect(step(page, 1).getByLabel("After enrolling")).toHaveValue("x");
    await expect(step(page, 2).getByLabel("Template").locator("option:checked")).toHaveText("Letter");
    expect((await (await page.request.get("/api/sequences")).json()).data).toEqual([]);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(step(page, 1)).toContainText("Must be a number of hours");
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("After the fair");
    await step(page, 1).getByLabel("After enrolling").fill("1");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "After the fair" })).toBeVisible();
    await expect(page.locator(".head")).toContainText("Mon–Thu, 09:00–17:00");
    await page.getByRole("button", { name: "Switch on" }).click();
    await expect(page.locator(".refusal")).toContainText("There is no active account for SMS");
    await page.getByRole("link", { name: "Enroll leads" }).click();
    await page.getByLabel("Tag").selectOption("fair");
    await page.getByRole("button", { name: "Enroll", exact: true }).click();
    await expect(page.locator("p.notice")).toHaveText("1 lead is enrolled.");
    await page.getByRole("row", { name: "Kim Lee" }).getByRole("button", { name: "Stop" }).click();
    await expect(page.getByRole("row", { name: "Kim Lee" })).toContainText("Stopped by your team");
  });
});
