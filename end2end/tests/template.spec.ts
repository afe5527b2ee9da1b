// Templates: written beside what a lead gets, by the code that sends; versions, snippets, faults where they are.
import { axe, expect, open, signUp, test } from "../support/fixtures";
import type { Page } from "@playwright/test";

async function add(page: Page, path: string, data: object): Promise<string> {
  const answer = await page.request.post(path, { data });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).id;
}

test.describe("with a script", () => {
  test.beforeEach(async ({ page }) => signUp(page));

  test("a template is written beside its preview, saved, found, restored and deleted", async ({ page }) => {
    await add(page, "/api/leads", { name: "Robin Sato", email: "robin@example.com" });
    await add(page, "/api/leads", { name: "Kim Lee", company: "Northwind", phone: "+14155552671", custom: { plan: "pro" } });
    await open(page, "/templates");
    await expect(page.getByRole("heading", { name: "No templates yet" })).toBeVisible();
    await page.getByRole("link", { name: "Write your first template" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "New template" })).toBeVisible();
    const preview = page.getByRole("complementary", { name: "Preview" });
    const text = page.getByLabel("Text", { exact: true });

    // A subject is for e-mail only.
    await expect(page.getByLabel("Subject")).toBeVisible();
    await page.getByRole("radio", { name: "SMS" }).check({ force: true });
    await expect(page.getByLabel("Subject")).toBeHidden();

    // It follows what is typed, with the newest lead; buttons put variables where the cursor is.
    await text.fill("Hi ");
    await page.getByRole("button", { name: "First name" }).click();
    await expect(text).toHaveValue("Hi {{ first_name }}");
    await expect(preview).toContainText("Hi Kim");
    await expect(preview).toContainText("6 characters, 1 segment (GSM-7)");
    await text.press("End");
    await page.getByRole("button", { name: "plan", exact: true }).click();
    await text.pressSequentially("’");
    await expect(preview).toContainText("Hi Kimpro’");
    await expect(preview).toContainText("UCS-2 because of ’");

    // What is missing is named, for whoever it is looked at with.
    await text.fill("Hi {{ first_name }} of {{ company }}");
    await expect(preview).toContainText("Hi Kim of Northwind");
    await page.getByLabel("Search leads").fill("robin");
    await expect(preview).toContainText("Robin Sato has nothing for company");
    await expect(preview).toContainText("Hi Robin of [company]");
    await page.getByLabel("Search leads").fill("");
    await expect(page.getByLabel("Preview with").getByRole("option", { name: "Kim Lee" })).toHaveCount(1);
    await page.getByLabel("Preview with").selectOption("Kim Lee");
    await expect(preview).toContainText("Hi Kim of Northwind");

    // A fault stands beside the field while it is typed, and the last good preview stays.
    await text.fill("Hi\n{{ name | shout }}");
    await expect(page.locator("#f-body-fault")).toHaveText("Line 2, column 11: there is no filter shout.");
    await expect(text).toHaveAttribute("aria-invalid", "true");
    await expect(preview).toContainText("Hi Kim of Northwind");
    await page.getByLabel("Name", { exact: true }).fill("Offer");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "there is no filter shout" }).first()).toBeVisible();
    await text.fill("{Hi|Hi} {{ first_name }}");
    await expect(page.locator("#f-body-fault")).toBeEmpty();
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page).toHaveURL(/\/templates\/0/);
    await expect(page.getByRole("heading", { level: 1, name: "Offer" })).toBeVisible();
    await expect(text).toHaveValue("{Hi|Hi} {{ first_name }}");
    await expect(preview).toContainText("Hi Kim");

    // Another text is another version; the first one comes back.
    await text.fill("Hello {{ first_name }}");
    await page.getByRole("button", { name: "Save" }).click();
    const versions = page.locator(".versions li");
    await expect(versions).toHaveCount(2);
    await expect(versions.first()).toContainText("Version 2");
    await expect(versions.first()).toContainText("Current");
    await versions.nth(1).locator("summary").click();
    await versions.nth(1).getByRole("button", { name: "Restore version 1" }).click();
    await expect(text).toHaveValue("{Hi|Hi} {{ first_name }}");
    await expect(versions).toHaveCount(3);

    await open(page, "/templates?channel=email");
    await expect(page.getByRole("heading", { name: "No template matches" })).toBeVisible();
    await page.getByRole("link", { name: "Show all" }).click();
    await page.getByLabel("Search").fill("off");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("row", { name: "Offer" }).getByRole("link").click();
    await page.getByRole("link", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete template" }).click();
    await expect(page.getByRole("heading", { name: "No templates yet" })).toBeVisible();
  });

  test("a snippet is written once and changes all that use it", async ({ page }) => {
    await open(page, "/templates/snippets");
    const form = page.locator("form", { has: page.getByRole("button", { name: "Add snippet" }) });
    await form.getByLabel("Name").fill("Sign off");
    await form.getByLabel("Text").fill("Ann");
    await form.getByRole("button", { name: "Add snippet" }).click();
    await expect(form.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
    await form.getByLabel("Name").fill("sign_off");
    await form.getByRole("button", { name: "Add snippet" }).click();
    const card = page.locator(".snippet");
    await expect(card).toContainText("Used by no template");
    const template = await add(page, "/api/templates", { name: "Note", channel: "sms", body: 'Hi, {% include "sign_off" %}' });
    await expect(card).toContainText("Used by 1 template");
    await expect(card.getByRole("button", { name: "Delete" })).toBeHidden();
    await card.getByText("Edit").click();
    await card.getByLabel("Text").fill("Ann of {{ sender.name or 'us' }}");
    await card.getByRole("button", { name: "Save" }).click();
    await expect(card).toContainText("Ann of {{ sender.name or 'us' }}");
    await open(page, `/templates/${template}`);
    await expect(page.getByRole("complementary", { name: "Preview" })).toContainText("Hi, Ann of us");
    await expect(page.locator(".versions li")).toHaveCount(2);
  });

  test("the pages can be read by everybody, wide and small, light and dark", async ({ page }) => {
    await add(page, "/api/leads", { name: "Kim Lee", phone: "+14155552671" });
    await add(page, "/api/snippets", { name: "sign", body: "Ann" });
    const id = await add(page, "/api/templates", { name: "Note", channel: "email", subject: "Hi {{ company }}", body: 'Hi {% include "sign" %}' });
    for (const path of ["/templates", "/templates/new", `/templates/${id}`, "/templates/snippets"]) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await open(page, path);
        expect(await axe(page), `${path} ${colorScheme}`).toEqual([]);
      }
      await page.setViewportSize({ width: 375, height: 720 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, path).toBeLessThanOrEqual(375);
      expect(await axe(page), `${path} small`).toEqual([]);
      await page.setViewportSize({ width: 1280, height: 720 });
    }
  });
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("a template is previewed and saved, and nothing that was typed is lost", async ({ page }) => {
    await signUp(page);
    await add(page, "/api/leads", { name: "Kim Lee", phone: "+14155552671" });
    await page.goto("/templates");
    await page.getByRole("link", { name: "New template" }).click();
    await page.getByRole("radio", { name: "WhatsApp" }).check({ force: true });
    await expect(page.getByLabel("Subject")).toBeHidden();
    await page.getByLabel("Name", { exact: true }).fill("Hello");
    await page.getByLabel("Text", { exact: true }).fill("Hi {{ first_name }} at {{ company }}");
    await page.getByRole("button", { name: "Preview" }).click();
    const preview = page.getByRole("complementary", { name: "Preview" });
    await expect(preview).toContainText("Hi Kim at [company]");
    await expect(preview).toContainText("Kim Lee has nothing for company");
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Hello");
    await page.getByLabel("Text", { exact: true }).fill("Hi {{ first_name");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.locator("#f-body-fault")).toContainText("Line 1, column 4");
    await expect(page.getByLabel("Text", { exact: true })).toHaveValue("Hi {{ first_name");
    await expect(page.getByRole("radio", { name: "WhatsApp" })).toBeChecked();
    await page.getByLabel("Text", { exact: true }).fill("Hi {{ first_name }}");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page).toHaveURL(/\/templates\/0/);
    await expect(preview).toContainText("Hi Kim");
    await page.goto("/templates/snippets");
    await page.getByLabel("Name", { exact: true }).fill("sign");
    await page.getByLabel("Text", { exact: true }).fill("Ann");
    await page.getByRole("button", { name: "Add snippet" }).click();
    await expect(page.locator(".snippet")).toContainText("Used by no template");
  });
});
