// Many messages: found, sent again or canceled together, and settled one by one from the list.
import type { Page } from "@playwright/test";
import { axe, connect, expect, hydrated, open, signUp, test } from "../support/fixtures";

/** Switched off, and no number at all: a failure that may pass, and one that will not. */
const AWAY = "+15005550030";
const NOBODY = "+15005550001";

async function send(page: Page, to: string, body: string, more: object = {}): Promise<void> {
  const answer = await page.request.post("/api/messages", { data: { channel: "sms", to, body, ...more } });
  expect(answer.status()).toBe(202);
}

async function fits(page: Page): Promise<void> {
  await page.setViewportSize({ width: 320, height: 640 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 800 });
}

async function looks(page: Page, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axe(page), `${what}, ${colorScheme}`).toEqual([]);
  }
  await fits(page);
}

test("what failed for a while is sent again, all at once and after a question", async ({ page, simulator }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  for (const [to, body] of [[AWAY, "Your table"], [AWAY, "Your bill"], [NOBODY, "Your table"], ["+14155552671", "Hello"]]) {
    await send(page, to, body);
  }
  await open(page, "/messages");
  const retry = page.getByRole("link", { name: "Retry failed (2)" });
  await expect(retry).toBeVisible({ timeout: 20_000 });
  await expect(page.locator("tbody .badge").filter({ hasText: "Not delivered" })).toHaveCount(2);
  await looks(page, "the list");

  await page.getByLabel("Search").fill("TABLE");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/\?q=TABLE/);
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await page.getByRole("link", { name: "Retry failed (1)" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("1 message matching “TABLE”.");
  await expect(dialog).toContainText("refused for good");
  await looks(page, "the question");
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page).toHaveURL(/\?q=TABLE$/);
  const before = (await (await fetch(`${simulator.url}/simulator/accepted`)).json()).length;

  await page.getByRole("link", { name: "Clear" }).click();
  await retry.click();
  await expect(dialog).toContainText("2 messages of all channels and accounts.");
  await dialog.getByRole("button", { name: "Send again" }).click();
  await expect(page.getByText("2 messages are queued again.")).toBeVisible();
  await expect(dialog).toHaveCount(0);
  await expect.poll(async () => (await (await fetch(`${simulator.url}/simulator/accepted`)).json()).length).toBe(before + 2);
});

test("what waits is canceled, one from the list and the rest together", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  for (const body of ["One", "Two", "Three"]) await send(page, "+14155552671", body, { send_at: "2099-01-01T09:00:00Z" });
  await open(page, "/messages?status=queued");
  const rows = page.locator("tbody tr");
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText("Scheduled, until");
  await rows.first().getByRole("button", { name: "Cancel the message to +14155552671" }).click();
  await expect(rows).toHaveCount(2);
  await page.getByRole("link", { name: "Cancel queued (2)" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel messages" }).click();
  await expect(page.getByText("2 messages are canceled.")).toBeVisible();
  await expect(page.getByRole("heading", { name: "No message matches" })).toBeVisible();
  await page.goBack();
  await page.goto("/messages?status=canceled");
  await expect(rows).toHaveCount(3);
});

test("an unknown one is settled in the list", async ({ page }) => {
  await signUp(page);
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
  await page.goto("/messages?status=unknown");
  await hydrated(page);
  const row = page.locator("tbody tr").first();
  const before = await page.locator("tbody tr").count();
  await expect(row).toContainText("Needs evidence");
  await looks(page, "an unknown message");
  await row.getByRole("button", { name: "It was sent" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(before - 1);
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("the question is asked and answered, and the filters stay", async ({ page }) => {
    await signUp(page);
    await page.getByRole("link", { name: "Add Account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
    await dialog.getByLabel("Phone number").fill("+14155550199");
    await dialog.getByLabel("Account SID").fill("AC00000000000000000000000000000001");
    await dialog.getByLabel("Auth Token").fill("simulator-token-0000000000000001");
    await dialog.getByRole("button", { name: "Connect Account" }).click();
    await page.waitForURL("**/accounts");
    await send(page, AWAY, "Your table");
    const retry = page.getByRole("link", { name: "Retry failed (1)" });
    await expect.poll(async () => (await page.goto("/messages?q=table"), retry.count()), { timeout: 20_000 }).toBe(1);
    await retry.click();
    await expect(dialog).toContainText("1 message matching “table”.");
    await dialog.getByRole("button", { name: "Send again" }).click();
    await expect(page).toHaveURL(/\/messages\?q=table$/);
  });
});
