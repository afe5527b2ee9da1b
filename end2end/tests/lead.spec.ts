// Leads: taken in, found, changed, merged and parted; all that is sent to them and all that they answer on one page.
import { connect, expect, open, signUp, test } from "../support/fixtures";

test.beforeEach(async ({ page }) => signUp(page));

test("a lead is taken in, found by tag and search, changed, written to and deleted", async ({ page }) => {
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await open(page, "/leads");
  await page.getByRole("link", { name: "Add your first lead" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("Kim Lee");
  await dialog.getByLabel("Phone").fill("12");
  await dialog.getByRole("button", { name: "Add lead" }).click();
  await expect(dialog.getByLabel("Phone")).toHaveAttribute("aria-invalid", "true");
  await expect(dialog.getByLabel("Name", { exact: true })).toHaveValue("Kim Lee");
  await dialog.getByLabel("Phone").fill("+1 415 555 2671");
  await dialog.getByLabel("Tags").fill("VIP, fair 2026");
  await dialog.getByText("More").click();
  await dialog.getByLabel("Custom fields").fill("plan: pro\ncity Berlin");
  await dialog.getByRole("button", { name: "Add lead" }).click();
  await expect(dialog.locator("#f-custom-fault")).toHaveText("Needs a colon between name and value: city Berlin.");
  await dialog.getByLabel("Custom fields").fill("plan: pro\ncity: Berlin");
  await dialog.getByRole("button", { name: "Add lead" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "Kim Lee" })).toBeVisible();
  const facts = page.locator(".facts");
  await expect(facts).toContainText("+1 415 555 2671");
  await expect(facts).toContainText("Berlin");
  await expect(page.getByText("Nothing was sent yet")).toBeVisible();

  // A message to the number is the lead's, and appears by itself.
  await page.request.post("/api/messages", { data: { channel: "sms", to: "+14155552671", body: "Hello Kim" } });
  const step = page.locator(".timeline li");
  await expect(step).toContainText("Hello Kim");
  await expect(step).toContainText("Delivered", { timeout: 20_000 });

  await page.getByRole("link", { name: "Edit" }).click();
  await dialog.getByLabel("Company").fill("Northwind");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".head")).toContainText("Northwind");
  await expect(facts).toContainText("fair 2026");

  await facts.getByRole("link", { name: "vip" }).click();
  await expect(page).toHaveURL(/\/leads\?tag=vip$/);
  await expect(page.getByRole("row", { name: "Kim Lee" })).toContainText("Northwind");
  await page.getByLabel("Search").fill("nobody");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page.getByRole("heading", { name: "No lead matches" })).toBeVisible();
  await page.getByLabel("Search").fill("north");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("row", { name: "Kim Lee" }).getByRole("link", { name: "Kim Lee" }).click();

  await page.getByRole("link", { name: "Delete" }).click();
  await expect(dialog).toContainText("Kim Lee");
  await dialog.getByRole("button", { name: "Delete lead" }).click();
  await expect(page.getByRole("heading", { name: "No leads yet" })).toBeVisible();
});

test("whoever is there already is shown, and two who are one are merged and parted again", async ({ page }) => {
  const add = async (data: object) => (await (await page.request.post("/api/leads", { data })).json()).id as string;
  const kim = await add({ name: "Kim Lee", email: "kim@example.com" });
  await add({ name: "K. Lee", phone: "+14155552671", tags: ["fair"] });
  await open(page, "/leads?add=1");
  const dialog = page.getByRole("dialog");
  await page.setViewportSize({ width: 375, height: 640 });
  await dialog.getByLabel("E-mail").fill("KIM@example.com");
  await dialog.getByRole("button", { name: "Add lead" }).click();
  await expect(dialog.getByRole("alert")).toContainText("Another lead has this");
  await expect(dialog.getByRole("alert")).toBeInViewport({ ratio: 1 });
  await dialog.getByRole("link", { name: "Open the other lead" }).click();
  await expect(page).toHaveURL(new RegExp(`/leads/${kim}$`));
  await page.setViewportSize({ width: 1280, height: 720 });

  await page.getByRole("link", { name: "Merge" }).click();
  const whom = dialog.getByLabel("The other lead");
  for (const [said, fault] of [["Nobody", "Finds no other lead."], ["kim@example.com", "Is this lead itself."], ["nobody@example.com", "Is the address of no lead."], ["Lee", `Finds more than one lead (Lee Ann, K. Lee): say the e-mail address or the number.`]]) {
    if (said === "Lee") await add({ name: "Lee Ann", email: "lee@example.com" });
    await whom.fill(said);
    await dialog.getByRole("button", { name: "Merge" }).click();
    await expect(dialog.locator("#f-other-fault")).toHaveText(fault);
  }
  await whom.fill("K. Le");
  await expect(dialog.locator("#other-leads option", { hasText: "K. Lee" })).toHaveAttribute("value", "+14155552671");
  await dialog.getByRole("button", { name: "Merge" }).click();
  await expect(page.locator(".facts")).toContainText("+14155552671");
  await expect(page.getByText("K. Lee was merged into this lead.")).toBeVisible();
  await page.getByRole("button", { name: "Undo the merge" }).click();
  await expect(page.locator(".facts")).not.toContainText("+14155552671");
  await open(page, "/leads");
  await expect(page.getByRole("row", { name: "K. Lee" })).toContainText("fair");
});
