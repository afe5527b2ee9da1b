// A day with Tern: a mailbox and two numbers, a message on each channel, one that nobody can vouch for, and a limit.
import type { Page } from "@playwright/test";
import { connect, expect, open, signUp } from "../support/fixtures";
import { fillMailbox, test } from "../support/mailbox";

async function connectMailbox(page: Page, port: string): Promise<void> {
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillMailbox(page, port);
  await page.getByRole("dialog").getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("row", { name: "Ann at Tern" })).toBeVisible();
}

async function send(page: Page, channel: string, to: string, body: string, subject?: string): Promise<void> {
  await open(page, "/messages?compose=1");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: channel }).check({ force: true });
  await dialog.getByLabel("Recipient").fill(to);
  if (subject) await dialog.getByLabel("Subject").fill(subject);
  await dialog.getByLabel("Message").fill(body);
  await dialog.getByRole("button", { name: "Send message" }).click();
  await expect(page).toHaveURL(/\/messages\/0/);
}

test("all three channels, live; an unknown one is settled; a limit says until when it holds", async ({ page, context, port }) => {
  await signUp(page);
  await connectMailbox(page, port);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders", limit: "1" });
  await connect(page, { channel: "WhatsApp", number: "+14155550132", name: "Sales" });

  const list = await context.newPage();
  await open(list, "/messages");
  const row = (name: string) => list.getByRole("row", { name });
  await send(page, "E-mail", "sam@example.com", "Dear Sam", "Your order");
  await expect(row("sam@example.com")).toContainText("Sent", { timeout: 20_000 });
  await send(page, "SMS", "+14155552671", "It is ready");
  await expect(row("+14155552671")).toContainText("Delivered", { timeout: 20_000 });
  await send(page, "WhatsApp", "+14155552672", "Hello Sam");
  await expect(row("+14155552672")).toContainText("Read", { timeout: 20_000 });

  await send(page, "E-mail", "drop-after-dot@example.com", "Did it arrive?", "A question");
  await expect(page.locator(".facts")).toContainText("Unknown", { timeout: 20_000 });
  await expect(page.locator(".notice").filter({ hasText: "Needs evidence" })).toContainText("say whether it was sent");
  await page.getByRole("button", { name: "It was sent" }).click();
  await expect(page.locator(".facts")).toContainText("Sent");
  await expect(page.locator(".timeline")).toContainText("A person decided that it was sent.");

  await send(page, "SMS", "+14155552673", "One too many");
  const notice = page.locator(".notice").filter({ hasText: "Daily limit" });
  await expect(notice).toContainText("Reminders has sent its 1 message of today");
  await expect(notice).toContainText("That is");
  const midnight = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10) + "T00:00:00Z";
  await expect(notice.locator("time").first()).toHaveAttribute("datetime", midnight);
  await expect(row("+14155552673")).toContainText("Daily limit, until");
  await open(page, "/accounts");
  await expect(page.getByRole("row", { name: "Reminders" })).toContainText("Limit reached; it goes on");
  await page.getByRole("link", { name: "Edit Reminders" }).click();
  await page.getByRole("dialog").getByLabel("Daily message limit").fill("2");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(row("+14155552673")).toContainText("Delivered", { timeout: 20_000 });
});
