// Segments: what a list asks for is given a name, with what leads did; it is asked for with one click, changed and deleted.
import { expect, open, signUp, test } from "../support/fixtures";

test.beforeEach(async ({ page }) => signUp(page));

test("a filtered list becomes a segment, which is changed and deleted", async ({ page }) => {
  for (const data of [
    { name: "Kim Lee", email: "kim@example.com", tags: ["vip"], custom: { plan: "pro" } },
    { name: "Ola Berg", email: "ola@example.com", tags: ["vip"] },
    { name: "Someone else", email: "else@example.com" },
  ]) {
    expect((await page.request.post("/api/leads", { data })).status()).toBe(201);
  }
  await open(page, "/leads?tag=vip");
  await page.getByRole("link", { name: "Save as segment" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Tag")).toHaveValue("vip");
  await dialog.getByRole("button", { name: "Save segment" }).click();
  await dialog.getByLabel("Name", { exact: true }).fill("Silent VIPs");
  // Only what fits the field can be chosen.
  await dialog.getByLabel("Field 1").selectOption("Answered");
  await expect(dialog.getByLabel("Comparison 1").getByRole("option")).toHaveText(["ever", "never", "in the last days:", "not in the last days:"]);
  await dialog.getByLabel("Comparison 1").selectOption("not in the last days:");
  await dialog.getByLabel("Value 1").fill("soon");
  await dialog.getByRole("button", { name: "Save segment" }).click();
  await expect(dialog.getByRole("alert")).toContainText("need a number of days");
  await dialog.getByLabel("Value 1").fill("30");
  await dialog.getByRole("button", { name: "Save segment" }).click();

  await expect(page).toHaveURL(/\/leads\?segment=\w+$/);
  const segments = page.getByRole("navigation", { name: "Segments" });
  await expect(segments.getByRole("link", { name: "Silent VIPs" })).toHaveAttribute("aria-current", "true");
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await page.getByLabel("Search").fill("ola");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await segments.getByRole("link", { name: "All leads" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(3);

  await segments.getByRole("link", { name: "Silent VIPs" }).click();
  await page.getByRole("link", { name: "Edit segment" }).click();
  await expect(dialog.getByLabel("Field 1")).toHaveValue("replied");
  await expect(dialog.getByLabel("Value 1")).toHaveValue("30");
  await dialog.getByLabel("Field 2").selectOption("plan");
  await dialog.getByLabel("Value 2").fill("pro");
  await dialog.getByLabel("Name", { exact: true }).fill("Silent pros");
  await dialog.getByRole("button", { name: "Save segment" }).click();
  await expect(segments.getByRole("link", { name: "Silent pros" })).toBeVisible();
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.setViewportSize({ width: 375, height: 720 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);

  await page.getByRole("link", { name: "Delete segment" }).click();
  await expect(dialog).toContainText("Silent pros");
  await dialog.getByRole("button", { name: "Delete segment" }).click();
  await expect(segments).toBeHidden();
  await expect(page.locator("tbody tr")).toHaveCount(3);
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });
  test("a segment is made, and a fault loses nothing of what was typed", async ({ page }) => {
    await page.request.post("/api/leads", { data: { name: "Kim Lee", email: "kim@example.com" } });
    await page.goto("/leads?q=kim");
    await page.getByRole("link", { name: "Save as segment" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("Kims");
    await dialog.getByLabel("Field 1").selectOption("Written to");
    await dialog.getByLabel("Comparison 1").selectOption("contains");
    await dialog.getByLabel("Value 1").fill("x");
    await dialog.getByRole("button", { name: "Save segment" }).click();
    await expect(dialog.getByRole("alert")).toContainText("cannot ask of contacted");
    await expect(dialog.getByLabel("Name", { exact: true })).toHaveValue("Kims");
    await expect(dialog.getByLabel("Field 1")).toHaveValue("contacted");
    await dialog.getByLabel("Comparison 1").selectOption("never");
    await dialog.getByRole("button", { name: "Save segment" }).click();
    await expect(page.getByRole("navigation", { name: "Segments" }).getByRole("link", { name: "Kims" })).toBeVisible();
    await expect(page.locator("tbody tr")).toHaveCount(1);
  });
});
