// Campaigns: written, foreseen, started when they can send, held, ended; and the forecast of a sequence.
import { axe, connect, expect, OWNER, open, signUp, test } from "../support/fixtures";
import type { Page } from "@playwright/test";

async function add(page: Page, path: string, data: object): Promise<string> {
  const answer = await page.request.post(path, { data });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).id;
}

/** Five people with a number, one without; whatever the hour is where this test runs, they may be written to. */
async function fair(page: Page): Promise<string> {
  const rules = await page.request.patch("/api/rules", { data: { quiet_hours: false, cap_per_day: 50, cap_per_week: 300 } });
  expect(rules.status(), await rules.text()).toBe(200);
  for (const [at, name] of ["Kim Lee", "Robin Sato", "Lee Wagner", "Ana Silva", "Noor Khan"].entries()) {
    await add(page, "/api/leads", { name, phone: `+1415555017${at}`, tags: ["fair"] });
  }
  await add(page, "/api/leads", { name: "Sam Ortiz", email: "sam@example.com", tags: ["fair"] });
  await add(page, "/api/templates", { name: "Letter", channel: "email", subject: "Hello", body: "Hello" });
  return add(page, "/api/templates", { name: "Spring sale", channel: "sms", body: "Hi {{ first_name }}" });
}

const number = (page: Page, name: string) => page.locator(".progress .numbers > div", { hasText: name }).locator("dd");
const head = (page: Page) => page.locator(".head");

test("a campaign is written, foreseen, refused without an account, started, paused, resumed and canceled", async ({ page }) => {
  test.setTimeout(120_000);
  await signUp(page);
  await fair(page);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Campaigns" }).click();
  await expect(page.getByRole("heading", { name: "No campaigns yet" })).toBeVisible();
  await page.getByRole("link", { name: "Write your first campaign" }).click();

  // Nobody means everybody without saying so, and what was typed stays.
  await page.getByLabel("Name", { exact: true }).fill("Spring");
  await page.getByLabel("Channel").selectOption("SMS");
  await page.getByLabel("Template", { exact: true }).selectOption("Spring sale");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.getByLabel("Tag", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Template", { exact: true }).locator("option:checked")).toHaveText("Spring sale");
  await page.getByLabel("Tag", { exact: true }).selectOption("fair");
  await page.getByRole("radio", { name: "Later" }).check();
  await page.getByLabel("Not before").fill("2020-01-01T09:00");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.locator("#f-send_at-fault")).toHaveText("Is in the past.");
  await page.getByRole("radio", { name: "As soon as it is started" }).check();
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Spring" })).toBeVisible();
  const here = new URL(page.url()).pathname;
  await expect(head(page)).toContainText("Leads with the tag fair");

  // It starts, and can be foreseen, only when it can send.
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.locator(".refusal")).toContainText("There is no active account for SMS");
  await page.getByRole("link", { name: "Forecast" }).click();
  await expect(page.locator(".forecast .notice")).toContainText("There is no active account for SMS");
  await open(page, "/accounts");
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders", limit: "3" });
  await open(page, here);
  await page.getByRole("link", { name: "Forecast" }).click();
  await expect(page).toHaveURL(/\?forecast=1$/);
  const forecast = page.locator("[data-forecast]");
  await expect(forecast).toContainText("5 people get 5 messages, billed as 5 segments.");
  await expect(page.getByRole("img", { name: /^Reminders: 5 on 2 days, the limit is reached on 1 of them/ })).toBeVisible();
  await forecast.getByText("Show the numbers").click();
  await expect(forecast.getByRole("region", { name: "Numbers of the forecast by day" })).toContainText("3, limit reached");
  await forecast.getByText("There is no address for the channel: 1").click();
  await expect(forecast.getByRole("link", { name: "Sam Ortiz" })).toBeVisible();
  await expect(forecast.locator(".planned tbody tr")).toHaveCount(5);
  await expect(forecast.getByRole("row", { name: "Kim Lee" })).toContainText("Reminders");
  // Nothing of it has happened.
  expect((await (await page.request.get("/api/messages")).json()).data).toEqual([]);
  // The address can be kept: the page comes at once, and the forecast after it.
  await page.reload();
  await expect(forecast).toContainText("5 people get 5 messages");

  await page.getByRole("button", { name: "Start" }).click();
  await expect(head(page)).toContainText("Running");
  await expect(number(page, "Queued")).toHaveText("2");
  await expect(number(page, "Delivered")).toHaveText("3");
  await expect(page.locator(".left-out")).toHaveText("There is no address for the channel: 1");
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(head(page)).toContainText("Paused");
  await expect(number(page, "Queued")).toHaveText("2");
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(head(page)).toContainText("Running");
  await open(page, `${here}?edit=1`);
  await expect(page.getByText("was started and cannot be changed any more")).toBeVisible();
  await page.getByRole("link", { name: "See how it goes" }).click();
  const dialog = page.getByRole("dialog");
  await page.getByRole("link", { name: "Cancel campaign" }).click();
  await dialog.getByRole("link", { name: "Keep it" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(head(page)).toContainText("Running");
  await page.getByRole("link", { name: "Cancel campaign" }).click();
  await dialog.getByRole("button", { name: "Cancel campaign" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(head(page)).toContainText("Canceled");
  await expect(page.locator(".left-out")).toContainText("The campaign was canceled: 2");
  await expect(page.getByRole("link", { name: "Forecast" })).toHaveCount(0);
  await page.getByRole("link", { name: "Campaigns" }).first().click();
  await expect(page.getByRole("row", { name: "Spring" })).toContainText("Canceled");
  await page.getByRole("row", { name: "Spring" }).getByRole("link").click();
  await page.getByRole("link", { name: "Delete" }).click();
  await dialog.getByRole("button", { name: "Delete campaign" }).click();
  await expect(page.getByRole("heading", { name: "No campaigns yet" })).toBeVisible();
});

test.describe("in New York", () => {
  test.use({ timezoneId: "America/New_York" });

  test("an instant is in the viewer's zone, and conditions that no page shows stay", async ({ page }) => {
    await signUp(page);
    const template_id = await fair(page);
    const conditions = [{ field: "company", op: "is_not", value: "Contoso" }];
    const audience = { tag: "fair", conditions };
    const id = await add(page, "/api/campaigns", { name: "Winter", channel: "sms", template_id, audience, send_at: "2030-01-15T14:30:00Z" });
    await open(page, `/campaigns/${id}?edit=1`);
    await expect(page.getByLabel("Not before")).toHaveValue("2030-01-15T09:30");
    await expect(page.getByText("1 more condition must hold")).toBeVisible();
    await page.getByLabel("Name", { exact: true }).fill("Deep winter");
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Deep winter" })).toBeVisible();
    const stored = async () => (await page.request.get(`/api/campaigns/${id}`)).json();
    expect(await stored()).toMatchObject({ send_at: "2030-01-15T14:30:00Z", audience: { tag: "fair", conditions } });
    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Not before").fill("2030-07-15T09:30");
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(head(page)).toContainText("Draft");
    expect(await stored()).toMatchObject({ send_at: "2030-07-15T13:30:00Z" });
  });
});

test("a sequence is foreseen for those who would be enrolled", async ({ page }) => {
  await signUp(page);
  const template_id = await fair(page);
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders" });
  const steps = [0, 24].map((delay_hours) => ({ channel: "sms", delay_hours, template_id }));
  const id = await add(page, "/api/sequences", { name: "After the fair", steps });
  await open(page, `/sequences/${id}`);
  await page.getByRole("link", { name: "Forecast" }).click();
  const panel = page.locator(".forecast");
  await panel.getByRole("button", { name: "Forecast" }).click();
  await expect(panel.locator(".notice")).toContainText("The tag is required, or a search");
  await panel.getByLabel("Tag").selectOption("fair");
  await panel.getByRole("button", { name: "Forecast" }).click();
  await expect(panel).toContainText("5 people get 10 messages");
  await expect(page).toHaveURL(/forecast=1&.*tag=fair/);
  await panel.getByText("There is no address for the channel: 1").click();
  await expect(panel.getByRole("link", { name: "Sam Ortiz" })).toBeVisible();
  await expect(page.getByText("No lead is enrolled yet.")).toBeVisible();
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("a campaign is written, foreseen, refused and deleted", async ({ page }) => {
    await page.goto("/");
    await page.getByLabel("Organization").fill(OWNER.organization);
    await page.getByLabel("Your e-mail").fill(OWNER.email);
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Create owner" }).click();
    await page.waitForURL("**/accounts");
    const template_id = await fair(page);
    await page.goto("/campaigns/new");
    await page.getByLabel("Name", { exact: true }).fill("Spring");
    await page.getByLabel("Channel").selectOption("SMS");
    await page.getByLabel("Template", { exact: true }).selectOption(template_id);
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(page.locator("#f-tag-fault")).toContainText("Is required, or a search");
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Spring");
    await page.getByLabel("Tag", { exact: true }).selectOption("fair");
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Spring" })).toBeVisible();
    await page.getByRole("button", { name: "Start" }).click();
    await expect(page.locator(".refusal")).toContainText("There is no active account for SMS");
    await add(page, "/api/messaging-accounts", { provider: "sandbox", channel: "sms", phone_number: "+14155550132", display_name: "Reminders" });
    await page.getByRole("link", { name: "Forecast" }).click();
    await expect(page.locator("[data-forecast]")).toContainText("5 people get 5 messages");
    await page.getByRole("link", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete campaign" }).click();
    await expect(page.getByRole("heading", { name: "No campaigns yet" })).toBeVisible();
  });
});

test("what failed for a while is sent again, and the campaign goes on until that is done", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders" });
  const template_id = await fair(page);
  // Switched off: a failure that may pass.
  await add(page, "/api/leads", { name: "Mia Away", phone: "+15005550030", tags: ["away"] });
  await add(page, "/api/leads", { name: "Kim Here", phone: "+14155552671", tags: ["away"] });
  const form = { name: "Second try", channel: "sms", template_id, audience: { tag: "away" } };
  const id = await add(page, "/api/campaigns", form);
  await open(page, `/campaigns/${id}`);
  await expect(page.getByRole("button", { name: "Retry failed" })).toHaveCount(0);
  await page.getByRole("button", { name: "Start" }).click();
  await expect(head(page)).toContainText("Done", { timeout: 20_000 });
  await expect(number(page, "Failed")).toHaveText("1", { timeout: 20_000 });
  await page.getByRole("button", { name: "Retry failed" }).click();
  await expect(page.getByText("1 message is queued again.")).toBeVisible();
  // It fails once more, and nobody else was written to again.
  await expect(number(page, "Failed")).toHaveText("1", { timeout: 20_000 });
  await expect(head(page)).toContainText("Done", { timeout: 20_000 });
  const messages = (await (await page.request.get("/api/messages")).json()).data;
  expect(messages.map((message: { attempts: number }) => message.attempts).sort()).toEqual([1, 2]);
});

test("axe finds nothing serious in any state, and nothing scrolls sideways on a phone", async ({ page }) => {
  test.setTimeout(120_000);
  await signUp(page);
  const template_id = await fair(page);
  const look = async (path: string, ready: string) => {
    for (const width of [1280, 375]) {
      await page.setViewportSize({ width, height: 800 });
      await open(page, path);
      await expect(page.locator(ready).first()).toBeVisible();
      for (const scheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        expect(await axe(page), `${path}, ${width}, ${scheme}`).toEqual([]);
        if (process.env.TERN_SHOTS) {
          const name = `${path.replace(/[^a-z0-9]+/gi, "_").slice(0, 60)}-${width}-${scheme}.png`;
          await page.screenshot({ path: `${process.env.TERN_SHOTS}/${name}`, fullPage: true });
        }
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow, `${path} at ${width}`).toBeLessThanOrEqual(0);
    }
  };
  await look("/campaigns", "h1");
  await look("/campaigns/new", "h1");
  const form = { channel: "sms", template_id, audience: { tag: "fair" } };
  const draft = await add(page, "/api/campaigns", { ...form, name: "A draft" });
  await look(`/campaigns/${draft}`, "h1");
  await look(`/campaigns/${draft}?forecast=1`, ".forecast .notice");
  await page.setViewportSize({ width: 1280, height: 800 });
  await open(page, "/accounts");
  await connect(page, { channel: "SMS", number: "+14155550132", name: "Reminders", limit: "2" });
  await look(`/campaigns/${draft}?forecast=1`, "[data-forecast]");
  await look(`/campaigns/${draft}?delete=1`, "dialog");
  const later = await add(page, "/api/campaigns", { ...form, name: "For later", send_at: "2030-01-15T14:30:00Z" });
  await page.request.post(`/api/campaigns/${later}/start`);
  const running = await add(page, "/api/campaigns", { ...form, name: "Runs" });
  await page.request.post(`/api/campaigns/${running}/start`);
  await look(`/campaigns/${running}`, ".progress");
  await look(`/campaigns/${running}?cancel=1`, "dialog");
  await page.request.post(`/api/campaigns/${running}/pause`);
  await look(`/campaigns/${running}?forecast=1`, "[data-forecast]");
  await look("/campaigns", "tbody tr");
  const steps = [{ channel: "sms", delay_hours: 0, template_id }];
  const sequence = await add(page, "/api/sequences", { name: "After the fair", steps });
  await look(`/sequences/${sequence}?forecast=1&all=yes`, "[data-forecast]");
});
