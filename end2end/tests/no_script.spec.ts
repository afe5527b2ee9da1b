// The same forms without JavaScript.
import { ACCOUNT, OWNER, expect, test } from "../support/fixtures";

test.use({ javaScriptEnabled: false });

test("everything that matters works without a script", async ({ page }) => {
  await page.goto("/");
  await page.getByLabel("Organization").fill(OWNER.organization);
  await page.getByLabel("Your e-mail").fill(OWNER.email);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create owner" }).click();
  await expect(page.getByLabel("Your e-mail")).toHaveValue(OWNER.email);
  await expect(page.locator(".fault")).toContainText("at least 8 characters");
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Create owner" }).click();
  await expect(page).toHaveURL(/\/accounts$/);

  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Phone number").fill("+14155550199");
  await dialog.getByLabel("Display name").fill("Reminders");
  await dialog.getByLabel("Account SID").fill(ACCOUNT.sid);
  await dialog.getByLabel("Auth Token").fill("not-the-token");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByRole("alert")).toContainText("Connection test failed");
  await expect(dialog.getByLabel("Phone number")).toHaveValue("+14155550199");
  await expect(dialog.getByLabel("Display name")).toHaveValue("Reminders");
  await expect(dialog.getByRole("radio", { name: "SMS" })).toBeChecked();
  await dialog.getByLabel("Account SID").fill(ACCOUNT.sid);
  await dialog.getByLabel("Auth Token").fill(ACCOUNT.token);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  const row = page.getByRole("row", { name: "Reminders" });
  await expect(row).toContainText("Active");

  await row.getByRole("button", { name: "Test" }).click();
  await expect(row).toContainText("Active");
  await row.getByRole("button", { name: "Disable" }).click();
  await expect(row).toContainText("Inactive");
  await row.getByRole("button", { name: "Enable" }).click();
  await expect(row.getByText("Active", { exact: true })).toBeVisible();
  await row.getByRole("link", { name: "Edit" }).click();
  await dialog.getByLabel("Display name").fill("Reminder line");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("row", { name: "Reminder line" })).toBeVisible();

  await page.getByRole("link", { name: "Messages" }).click();
  await page.getByRole("link", { name: "Send a message" }).click();
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Recipient").fill("+14155552671");
  await dialog.getByLabel("Message").fill("Hello");
  await dialog.getByRole("button", { name: "Send message" }).click();
  await expect(page).toHaveURL(/\/messages\/0/);
  await expect.poll(async () => (await page.reload(), page.locator(".facts").innerText()), { timeout: 20_000 }).toContain("Delivered");

  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByLabel("What it is for").fill("x".repeat(81));
  await page.getByRole("button", { name: "Create key" }).click();
  await expect(page.locator("#f-name-fault")).toContainText("80");
  await page.getByLabel("What it is for").fill("CRM import");
  await page.getByRole("button", { name: "Create key" }).click();
  await expect(page).toHaveURL(/\/settings$/);
  const key = await page.getByRole("status").locator("code").innerText();
  expect(key).toMatch(/^tern_.{43}$/);
  await expect(page.getByRole("row", { name: "CRM import" })).toContainText("Never used");
  const mine = await page.request.get("/api/me", { headers: { authorization: `Bearer ${key}` } });
  expect(mine.status()).toBe(200);
  expect((await page.context().cookies()).some(({ value }) => value.includes(key))).toBe(false);
  await page.goto("/settings");
  await expect(page.getByText(key)).toBeHidden();

  await page.getByRole("link", { name: "Accounts" }).click();
  await page.getByRole("link", { name: "Delete Reminder line" }).click();
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(page.getByRole("heading", { name: "No messaging accounts" })).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in$/);
});
