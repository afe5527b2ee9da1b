// Leads from a file: chosen, understood, checked, imported; what was rejected is shown and can be had as a file.
import { readFileSync } from "node:fs";
import { axe, expect, open, signUp, test } from "../support/fixtures";

/** 5 000 rows as people keep them: 250 bad, 500 of people who stood further up; in a spreadsheet's own encoding. */
function messy(): Buffer {
  const lines = ["Kontakt;Post;Handy-Nr.;Größe"];
  for (let n = 0; n < 5000; n++) {
    if (n % 20 === 3) lines.push(`Bad ${n};not an address;;M`);
    else if (n % 10 === 5) lines.push(`Again ${n};KIM${n - 1}@example.com;;L`);
    else lines.push(`Jürgen ${n};kim${n}@example.com;0151 ${String(2345000 + n)}9;"XL; ""wide"""`);
  }
  return Buffer.from(lines.join("\r\n"), "latin1");
}

const small = Buffer.from("name,email\nKim Lee,kim@example.com\nBo,no address\n");

test("a messy file of five thousand leads is understood, checked and imported", async ({ page }) => {
  await signUp(page);
  await open(page, "/leads");
  await page.getByRole("link", { name: "Import", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Import leads" })).toBeVisible();
  expect(await axe(page)).toEqual([]);
  await page.getByLabel("File").setInputFiles({ name: "messe.csv", mimeType: "text/csv", buffer: messy() });
  await page.getByRole("button", { name: "Upload" }).click();

  // Columns: names say some, cells say others; one guess is put right.
  await expect(page).toHaveURL(/\/leads\/import\/0\w+$/);
  await expect(page.locator("body[data-hydrated]")).toHaveCount(1);
  await expect(page.getByText("5000 rows, windows-1252")).toBeVisible();
  await expect(page.getByLabel("Kontakt")).toHaveValue("name");
  await expect(page.getByLabel("Post")).toHaveValue("email");
  await expect(page.getByLabel("Handy-Nr.")).toHaveValue("phone");
  await expect(page.getByRole("cell", { name: "Jürgen 0" })).toBeVisible();
  await expect(page.getByRole("region", { name: "The first rows" }).getByRole("row")).toHaveCount(21);
  expect(await axe(page)).toEqual([]);
  await page.getByLabel("Größe").selectOption("email");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "two columns are email" })).toBeVisible();
  await page.getByLabel("Größe").selectOption("custom.grosse");
  await page.getByRole("button", { name: "Continue" }).click();

  await expect(page).toHaveURL(/step=options$/);
  await page.getByLabel("Country of numbers").fill("Germany");
  await page.getByLabel("Why may you write").fill("Trade fair 2026, paper form");
  await page.getByLabel("Tags to add").fill("Messe");
  await page.getByRole("button", { name: "Check the rows" }).click();
  await expect(page.getByLabel("Country of numbers")).toHaveAttribute("aria-invalid", "true");
  expect(await axe(page)).toEqual([]);
  await page.getByLabel("Country of numbers").fill("de");
  await page.getByRole("button", { name: "Check the rows" }).click();

  await expect(page).toHaveURL(/step=check$/);
  const start = page.getByRole("button", { name: "Import 4750 rows" });
  await expect(start).toBeVisible({ timeout: 20_000 });
  const tile = (label: string) => page.locator(".tile").filter({ hasText: label }).locator("b");
  await expect(tile("Would be created")).toHaveText("4250");
  await expect(tile("Would be updated")).toHaveText("500");
  await expect(tile("Would be rejected")).toHaveText("250");
  await expect(page.getByRole("row", { name: "Line 5 " })).toContainText("must be an e-mail address");
  expect(await axe(page)).toEqual([]);
  await start.click();

  // It goes on by itself, on the page as well.
  await expect(page).toHaveURL(/step=result$/);
  await expect(page.getByRole("heading", { name: "Imported" })).toBeVisible({ timeout: 20_000 });
  await expect(tile("Created")).toHaveText("4250");
  await expect(tile("Rejected")).toHaveText("250");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download all rejected rows" }).click();
  const errors = readFileSync(await (await download).path(), "utf8").trim().split("\r\n");
  expect(errors.length).toBe(251);
  expect(errors[1]).toBe("5,Post,must be an e-mail address like ann@example.com,Bad 3,not an address,,M");

  await page.getByRole("link", { name: "Go to the leads" }).click();
  await page.getByLabel("Search").fill("kim4999@example.com");
  await page.getByRole("button", { name: "Filter" }).click();
  const row = page.getByRole("row", { name: "Jürgen 4999" });
  await expect(row).toContainText("0151 23499999");
  await expect(row).toContainText("messe");
  const file = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export" }).click();
  expect(readFileSync(await (await file).path(), "utf8")).toContain("'+4915123499999");

  // The same columns are known the next time.
  await open(page, "/leads/import");
  await expect(page.getByRole("row", { name: "messe.csv" })).toContainText("4250 created, 500 updated, 0 skipped, 250 rejected");
  await page.getByLabel("File").setInputFiles({ name: "again.csv", mimeType: "text/csv", buffer: messy() });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByLabel("Größe")).toHaveValue("custom.grosse");
  await page.setViewportSize({ width: 375, height: 700 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
});

test("what is no table says so", async ({ page }) => {
  await signUp(page);
  await open(page, "/leads/import");
  await page.getByLabel("File").setInputFiles({ name: "cat.csv", mimeType: "text/csv", buffer: Buffer.from([0x89, 0x50, 1, 2, 3]) });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "no table of text" })).toBeVisible();
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("a file is imported all the same", async ({ page }) => {
    await signUp(page);
    await page.goto("/leads/import");
    await page.getByLabel("File").setInputFiles({ name: "fair.csv", mimeType: "text/csv", buffer: small });
    await page.getByRole("button", { name: "Upload" }).click();
    await expect(page.getByLabel("email")).toHaveValue("email");
    await page.getByLabel("The first row has the names").uncheck();
    await page.getByRole("button", { name: "Continue" }).click();
    await expect(page.getByText("3 rows, UTF-8")).toBeVisible();
    await page.getByLabel("The first row has the names").check();
    await page.getByRole("button", { name: "Continue" }).click();
    await expect(page.getByText("2 rows, UTF-8")).toBeVisible();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByLabel("Tags to add").fill("a\u200bb");
    await page.getByLabel("Why may you write").fill("Fair");
    await page.getByRole("button", { name: "Check the rows" }).click();
    await expect(page.locator(".fault").filter({ hasText: "cannot be seen" })).toBeVisible();
    await expect(page.getByLabel("Why may you write")).toHaveValue("Fair");
    await page.getByLabel("Tags to add").fill("fair");
    await page.getByRole("button", { name: "Check the rows" }).click();
    // A form without a script is a way to another page, which no reload may cross.
    await expect(page.getByRole("heading", { name: "What would become of the rows" })).toBeVisible();
    const start = page.getByRole("button", { name: "Import 1 row" });
    await expect.poll(async () => (await page.reload(), start.isVisible()), { timeout: 20_000 }).toBe(true);
    await start.click();
    await expect(page.getByRole("heading", { name: /^Import(ing|ed)$/ })).toBeVisible();
    await expect.poll(async () => (await page.reload(), page.locator("h2").first().innerText()), { timeout: 20_000 }).toBe("Imported");
    await expect(page.getByRole("row", { name: "Line 3" })).toContainText("no address");
    await page.goto("/leads");
    await expect(page.getByRole("row", { name: "Kim Lee" })).toContainText("fair");
  });
});
