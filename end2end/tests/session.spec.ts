// People: the first run, signing in and out, keys.
import { OWNER, expect, open, signUp, test } from "../support/fixtures";

test("the first visitor becomes the owner; the next one signs in", async ({ page, browser, tern }) => {
  await page.goto("/");
  await expect(page).toHaveURL(/\/welcome$/);
  await signUp(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");

  const other = await (await browser.newContext({ baseURL: tern.url })).newPage();
  await other.goto("/messages?q=hello");
  await expect(other).toHaveURL(/\/sign-in\?next=/);
  await other.getByLabel("E-mail").fill(OWNER.email);
  await other.getByLabel("Password").fill("not the password");
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(other.locator("#main").getByRole("alert")).toContainText("Wrong e-mail or password");
  await other.getByLabel("Password").fill(OWNER.password);
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(other).toHaveURL(/\/messages\?q=hello$/);
  await other.context().close();
});

test("demo data shows every channel and goes with one click", async ({ page }) => {
  await page.goto("/welcome");
  await page.getByLabel("Organization").fill(OWNER.organization);
  await page.getByLabel("Your e-mail").fill(OWNER.email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByLabel("Explore with demo data").check();
  await page.getByRole("button", { name: "Create owner" }).click();
  await expect(page.getByText("You are looking at demo data.")).toBeVisible();
  for (const channel of ["WhatsApp", "SMS", "E-mail"]) {
    await expect(page.getByRole("cell", { name: channel, exact: true })).toBeVisible();
  }
  await page.getByRole("button", { name: "Remove demo data" }).click();
  await expect(page.getByRole("heading", { name: "No messaging accounts" })).toBeVisible();
  await open(page, "/messages");
  await expect(page.getByRole("heading", { name: "No messages yet" })).toBeVisible();
});

test("a key is shown once, works, and stops working when it is deleted", async ({ page, tern }) => {
  await signUp(page);
  await open(page, "/settings");
  await page.getByLabel("What it is for").fill("CRM import");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = await page.locator(".key code").innerText();
  const me = () => fetch(`${tern.url}/api/me`, { headers: { authorization: `Bearer ${key}` } });
  expect((await me()).status).toBe(200);
  await page.reload();
  await expect(page.getByText(key)).toHaveCount(0);
  await expect(page.getByRole("row", { name: "CRM import" })).toContainText("Last used");
  await page.getByRole("button", { name: "Delete the key CRM import" }).click();
  await expect(page.getByText("No keys yet.")).toBeVisible();
  expect((await me()).status).toBe(401);
});

test("a key that is asked for before the page is taken over is shown, too", async ({ page }) => {
  await signUp(page);
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue().catch(() => {}); // the page that asked may be gone
  });
  await page.goto("/settings", { waitUntil: "commit" });
  await page.getByLabel("What it is for").fill("CRM import");
  await page.getByRole("button", { name: "Create key" }).click();
  await expect(page.locator(".key code")).toHaveText(/^tern_.{43}$/);
  await expect(page.getByRole("button", { name: "Copy" })).toBeHidden();
  release();
  await expect(page.locator("body[data-hydrated]")).toBeAttached();
  await expect(page.locator(".key code")).toHaveText(/^tern_.{43}$/);
  await expect(page.getByRole("button", { name: "Copy" })).toBeVisible();
});

test("another browser can be signed out", async ({ page, browser, tern }) => {
  await signUp(page);
  const other = await (await browser.newContext({ baseURL: tern.url })).newPage();
  await other.goto("/sign-in");
  await other.getByLabel("E-mail").fill(OWNER.email);
  await other.getByLabel("Password").fill(OWNER.password);
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.waitForURL("**/accounts");
  await open(page, "/settings");
  await expect(page.getByText("This browser")).toHaveCount(1);
  await page.getByRole("button", { name: "Sign out", exact: true }).last().click();
  await expect(page.getByRole("status").filter({ hasText: "signed out" })).toBeVisible();
  await other.goto("/accounts");
  await expect(other).toHaveURL(/\/sign-in/);
  await other.context().close();
});
