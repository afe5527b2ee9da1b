// The dashboard: numbers that move by themselves, and what a person has to decide.
import { axe, connect, expect, hydrated, open, signUp, test } from "../support/fixtures";

test("the day is counted live, and nothing needs anybody", async ({ page, context }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders", limit: "10" });
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Dashboard" }).click();
  await expect(page).toHaveTitle("Dashboard · Tern");
  await expect(page.getByRole("heading", { level: 1, name: "Dashboard" })).toBeFocused();
  await expect(page.getByRole("navigation", { name: "Main" }).locator("[aria-current]")).toHaveText("Dashboard");
  await expect(page.getByText("Nothing needs anybody.")).toBeVisible();
  const sms = page.locator(".today .tile").filter({ hasText: "SMS" });
  await expect(sms).toContainText("0 delivered");
  await page.getByText("Show the numbers").click();

  const other = await context.newPage();
  await open(other, "/messages?compose=1");
  const dialog = other.getByRole("dialog");
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Recipient").fill("+14155552671");
  await dialog.getByLabel("Message").fill("Hello");
  await dialog.getByRole("button", { name: "Send message" }).click();

  await expect(sms).toContainText("1 delivered", { timeout: 20_000 });
  await expect(page.getByRole("img", { name: "Accepted messages a day: 1 in all" })).toBeVisible();
  await expect(page.locator(".chart rect.sms")).toHaveCount(1);
  // The table stays open while its numbers move.
  await expect(page.locator(".numbers tbody tr").first()).toContainText("010100");
  await expect(page.getByRole("meter", { name: "Usage today of Reminders" })).toHaveAttribute("aria-valuetext", "1 of 10 messages");
  await expect(page.getByRole("row", { name: "Reminders" })).toContainText("Nothing waits");
});

test("a person says what became of a message; axe finds nothing, light, dark and small", async ({ page }) => {
  await signUp(page);
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
  await page.goto("/");
  await hydrated(page);
  const items = page.locator(".needs li");
  const before = await items.count();
  expect(before).toBeGreaterThan(0);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axe(page), colorScheme).toEqual([]);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await page.getByText("Show the numbers").click();
  expect(await axe(page), "small").toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 800 });
  for (let left = before; left > 0; left--) {
    await items.first().getByRole("button", { name: "It was sent" }).click();
    await expect(items).toHaveCount(left - 1);
  }
  await expect(page.getByText("Nothing needs anybody.")).toBeVisible();
});
