// A message, from the dialog to the recipient's phone, in every open tab.
import { connect, expect, open, signUp, test } from "../support/fixtures";

test("a message goes out and becomes delivered, live in two tabs", async ({ page, context, simulator }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders", limit: "10" });
  const accounts = await context.newPage();
  await open(accounts, "/accounts");
  const list = await context.newPage();
  await open(list, "/messages");
  await expect(list.getByRole("heading", { name: "No messages yet" })).toBeVisible();

  await open(page, "/messages");
  await page.getByRole("link", { name: "Send a message" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Recipient").fill("+1 415 555 2671");
  await dialog.getByLabel("Message").fill("It’s ready");
  await expect(dialog.getByText("10 characters, 1 segment (Unicode because of ’)")).toBeVisible();
  await dialog.getByRole("button", { name: "Send message" }).click();

  await expect(page.getByRole("heading", { name: "Message", exact: true })).toBeVisible();
  await expect(page.locator(".timeline li").filter({ hasText: "Delivered" })).toBeVisible({ timeout: 20_000 });
  await expect(page.locator(".facts")).toContainText("Delivered");
  await expect(list.getByRole("row", { name: "+14155552671" })).toContainText("Delivered");
  await expect(accounts.getByRole("meter")).toHaveAttribute("aria-valuetext", "1 of 10 messages");

  const accepted = await (await fetch(`${simulator.url}/simulator/accepted`)).json();
  expect(accepted).toHaveLength(1);
  expect(accepted[0]).toMatchObject({ from: "+14155550199", to: "+14155552671", body: "It’s ready" });
});

test("a WhatsApp message carries its prefix and can be read", async ({ page, simulator }) => {
  await signUp(page);
  await connect(page, { channel: "WhatsApp", number: "+14155550132", name: "Sales" });
  await open(page, "/messages?compose=1");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Recipient").fill("+14155552671");
  await dialog.getByLabel("Message").fill("Hello Sam");
  await dialog.getByRole("button", { name: "Send message" }).click();
  await expect(page.locator(".facts")).toContainText("Read", { timeout: 20_000 });
  const accepted = await (await fetch(`${simulator.url}/simulator/accepted`)).json();
  expect(accepted[0]).toMatchObject({ from: "whatsapp:+14155550132", to: "whatsapp:+14155552671" });
});

test("a number that cannot be reached ends as failed, with the reason", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199" });
  await open(page, "/messages?compose=1");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Recipient").fill("+15005550001");
  await dialog.getByLabel("Message").fill("Hello");
  await dialog.getByRole("button", { name: "Send message" }).click();
  await expect(page.locator(".facts")).toContainText("Failed", { timeout: 20_000 });
  await expect(page.locator(".notice.bad")).toContainText("21211");
});

test("a wrong recipient is told beside its field, and nothing typed is lost", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199" });
  await open(page, "/messages?compose=1");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Recipient").fill("hello");
  await dialog.getByLabel("Message").fill("Hello");
  await dialog.getByRole("button", { name: "Send message" }).click();
  await expect(dialog.getByLabel("Recipient")).toHaveAttribute("aria-invalid", "true");
  await expect(dialog.getByLabel("Message")).toHaveValue("Hello");
});
