// Writing a message: what it costs, how it will look, through which account and when it leaves.
import type { Page } from "@playwright/test";
import { axe, connect, expect, open, signUp, test } from "../support/fixtures";

async function choose(page: Page, channel: string) {
  await page.getByRole("dialog").getByRole("radio", { name: channel }).check({ force: true });
}

test("the preview, the count and the account follow what is typed", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await connect(page, { channel: "SMS", number: "+16285550188", name: "Second line" });
  await open(page, "/messages?status=queued");
  await page.getByRole("link", { name: "Send a message" }).click();
  const dialog = page.getByRole("dialog");
  const preview = dialog.getByRole("complementary", { name: "Preview" });
  await expect(dialog.getByText("No account for WhatsApp is connected.")).toBeVisible();
  await choose(page, "SMS");
  const account = dialog.getByLabel("Account");
  await expect(account.locator("option").first()).toHaveText("Default (Reminders)");
  await expect(account.locator("option:not([hidden])")).toHaveText(["Default (Reminders)", "Second line (SMS)", "Reminders (SMS, default)"]);
  await account.selectOption({ label: "Second line (SMS)" });
  await dialog.getByLabel("Recipient").fill("+14155552671");
  await dialog.getByLabel("Message").fill("It’s “ready” – come…");
  await expect(dialog.getByText("1 segment (Unicode because of ’ “ ”)")).toBeVisible();
  await expect(preview).toContainText("Second line to +14155552671");
  await expect(preview).toContainText("It’s “ready” – come…");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axe(page), colorScheme).toEqual([]);
  }
  await dialog.getByRole("button", { name: "Use plain characters" }).click();
  await expect(dialog.getByLabel("Message")).toHaveValue("It's \"ready\" - come...");
  await expect(dialog.getByText("1 segment (GSM-7)")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Use plain characters" })).toHaveCount(0);

  await choose(page, "E-mail");
  await expect(preview).toContainText("(no subject)");
  await dialog.getByLabel("Subject").fill("Your order");
  await expect(preview.getByText("Your order")).toBeVisible();
  await page.setViewportSize({ width: 320, height: 640 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await page.keyboard.press("Escape");
  await expect(page).toHaveURL(/\/messages\?status=queued$/);
});

test.describe("in a zone that is not UTC", () => {
  test.use({ timezoneId: "America/New_York" });

  test("a message for later waits until then, in the viewer's time", async ({ page }) => {
    await signUp(page);
    await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
    await open(page, "/messages?compose=1");
    const dialog = page.getByRole("dialog");
    await choose(page, "SMS");
    await dialog.getByLabel("Recipient").fill("+14155552671");
    await dialog.getByLabel("Message").fill("Happy new year");
    await dialog.getByText("Send later").click();
    await dialog.getByLabel("Not before").fill("2001-01-01T00:00");
    await dialog.getByRole("button", { name: "Send message" }).click();
    await expect(dialog.getByText("Is in the past.", { exact: true })).toBeVisible();
    await dialog.getByLabel("Not before").fill("2099-01-01T00:00");
    await dialog.getByRole("button", { name: "Send message" }).click();
    const notice = page.locator(".notice").filter({ hasText: "Scheduled" });
    await expect(notice).toContainText("It goes out");
    await expect(notice.locator("time").first()).toHaveAttribute("datetime", "2099-01-01T05:00:00Z");
    await expect(notice.locator("time").first()).toContainText("12:00 AM");
    await page.getByRole("button", { name: "Cancel message" }).click();
    await expect(page.locator(".facts")).toContainText("Canceled");
  });
});
