// Changes to all leads of a list: tagged, enrolled, left alone or deleted together, told while it goes on.
import { axe, expect, open, signUp, test } from "../support/fixtures";

test.beforeEach(async ({ page }) => signUp(page));

async function leads(page: import("@playwright/test").Page) {
  for (const data of [
    { name: "Kim Lee", email: "kim@example.com", tags: ["fair"] },
    { name: "Ola Berg", email: "ola@example.com", tags: ["fair"] },
    { name: "Someone else", email: "else@example.com" },
  ]) {
    expect((await page.request.post("/api/leads", { data })).status()).toBe(201);
  }
}

test("all leads of a list get a tag, lose one, and are deleted", async ({ page }) => {
  await leads(page);
  await open(page, "/leads?tag=fair");
  await page.getByRole("link", { name: "Change all" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("heading")).toHaveText("Change 2 leads");
  await expect(dialog).toContainText("Leads with the tag fair.");
  // Only what belongs to the chosen action is asked.
  await expect(dialog.getByLabel("Sequence", { exact: true })).toBeHidden();
  await dialog.getByRole("button", { name: "Change 2 leads" }).click();
  await expect(dialog.getByLabel("New tag")).toHaveAttribute("aria-invalid", "true");
  expect(await axe(page)).toEqual([]);
  await page.setViewportSize({ width: 375, height: 720 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
  await dialog.getByLabel("New tag").fill("Called");
  await dialog.getByRole("button", { name: "Change 2 leads" }).click();
  await expect(dialog).toBeHidden();
  await expect(page).toHaveURL(/\/leads\?tag=fair$/);
  await expect(page.getByRole("status").filter({ hasText: "2 leads have the tag called now." })).toBeVisible();
  await expect(page.locator("tbody").getByRole("link", { name: "called" })).toHaveCount(2);
  await page.setViewportSize({ width: 1280, height: 720 });

  await page.getByRole("link", { name: "Change all" }).click();
  await dialog.getByLabel("Remove a tag").check();
  await dialog.getByLabel("Tag to remove").selectOption("fair");
  await dialog.getByRole("button", { name: "Change 2 leads" }).click();
  await expect(page.getByRole("status").filter({ hasText: "2 leads have the tag fair no more." })).toBeVisible();

  await open(page, "/leads?q=example.com");
  await page.getByRole("link", { name: "Change all" }).click();
  await dialog.getByLabel("Delete them").check();
  await dialog.getByRole("button", { name: "Delete 3 leads" }).click();
  await expect(dialog.locator("#f-sure-fault")).toHaveText("Tick this to delete them.");
  await dialog.getByLabel("Yes, delete 3 leads").check();
  await dialog.getByRole("button", { name: "Delete 3 leads" }).click();
  await expect(page.getByRole("status").filter({ hasText: "3 leads are deleted." })).toBeVisible();
  await expect(page.getByText("No lead matches")).toBeVisible();
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });
  test("all leads are left alone from now on", async ({ page }) => {
    await leads(page);
    await page.goto("/leads");
    await page.getByRole("link", { name: "Change all" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Enroll in a sequence").check();
    await dialog.getByRole("button", { name: "Change 3 leads" }).click();
    await expect(dialog.locator("#f-sequence-fault")).toHaveText("Is no sequence that there is.");
    await dialog.getByLabel("Do not contact them").check();
    await dialog.getByRole("button", { name: "Change 3 leads" }).click();
    await expect(async () => {
      await page.goto("/leads");
      await expect(page.getByText("3 leads are not written to any more.")).toBeVisible({ timeout: 500 });
    }).toPass();
    await page.goto("/suppressions");
    await expect(page.locator("tbody tr")).toHaveCount(3);
  });
});
