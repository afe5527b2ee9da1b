// Sender accounts, as a person meets them, against a stand-in for Twilio.
import { ACCOUNT, connect, expect, fillAccount, hydrated, open, signUp, test } from "../support/fixtures";

test.beforeEach(async ({ page }) => signUp(page));

test("a first account is connected, tested, switched off and on, changed and deleted", async ({ page }) => {
  await expect(page.getByRole("heading", { name: "No messaging accounts" })).toBeVisible();
  await page.getByRole("link", { name: "Add your first account" }).click();
  await fillAccount(page, { channel: "WhatsApp", number: "+1 (415) 555-0132", name: "Sales WhatsApp", limit: "250" });
  await page.getByRole("button", { name: "Connect Account" }).click();

  const row = page.getByRole("row", { name: "Sales WhatsApp" });
  await expect(row).toContainText("+14155550132");
  await expect(row.getByText("WhatsApp", { exact: true })).toBeVisible();
  await expect(row.getByRole("meter")).toHaveAttribute("aria-valuetext", "0 of 250 messages");
  await expect(row).toContainText("Active");
  await expect(page.getByRole("status").filter({ hasText: "Sales WhatsApp is connected." })).toBeVisible();

  await row.getByRole("button", { name: "Test" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Sales WhatsApp is connected." })).toBeVisible();

  await row.getByRole("button", { name: "Disable" }).click();
  await expect(row).toContainText("Inactive");
  await page.reload();
  await expect(row).toContainText("Inactive");
  await row.getByRole("button", { name: "Enable" }).click();
  await expect(row.getByText("Active", { exact: true })).toBeVisible();

  await row.getByRole("link", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Display name").fill("Sales team");
  await dialog.getByLabel("Daily message limit").fill("40");
  await dialog.getByRole("button", { name: "Save" }).click();
  const renamed = page.getByRole("row", { name: "Sales team" });
  await expect(renamed.getByRole("meter")).toHaveAttribute("aria-valuetext", "0 of 40 messages");

  await renamed.getByRole("link", { name: "Delete" }).click();
  await expect(dialog).toContainText("Sales team");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(page.getByRole("heading", { name: "No messaging accounts" })).toBeVisible();
});

test("wrong credentials show the provider's reason and keep what was typed", async ({ page }) => {
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillAccount(page, { channel: "SMS", number: "+14155550199", name: "Reminders", token: "not-the-token" });
  await page.getByRole("button", { name: "Connect Account" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("alert")).toContainText("Connection test failed");
  await expect(dialog.getByLabel("Phone number")).toHaveValue("+14155550199");
  await expect(dialog.getByLabel("Display name")).toHaveValue("Reminders");
  await expect(dialog.getByLabel("Auth Token")).toHaveValue("not-the-token");
  await expect(dialog.getByRole("radio", { name: "SMS" })).toBeChecked();

  await dialog.getByLabel("Auth Token").fill(ACCOUNT.token);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
});

test("a number that is connected already is a conflict, in another channel it is not", async ({ page }) => {
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillAccount(page, { channel: "SMS", number: "+14155550199" });
  await page.getByRole("button", { name: "Connect Account" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("alert")).toContainText("This phone number is already connected");
  await dialog.getByRole("radio", { name: "WhatsApp" }).check({ force: true });
  await dialog.getByLabel("Display name").fill("Chat");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("row", { name: "Chat" })).toBeVisible();
});

test("a number of somebody else is refused, unless the person insists", async ({ page }) => {
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillAccount(page, { channel: "SMS", number: "+14155552671", name: "Borrowed" });
  await page.getByRole("button", { name: "Connect Account" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("alert")).toContainText("does not own");
  await dialog.getByRole("button", { name: "Connect anyway" }).click();
  await expect(page.getByRole("row", { name: "Borrowed" })).toBeVisible();
});

test("the button waits for what is required, Escape closes, and the focus comes back", async ({ page }) => {
  await open(page, "/accounts");
  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  const button = dialog.getByRole("button", { name: "Connect Account" });
  await expect(dialog.getByRole("radio", { name: "WhatsApp" })).toBeFocused();
  await expect(button).toBeDisabled();
  await fillAccount(page, { channel: "WhatsApp", number: "+14155550132" });
  await expect(button).toBeEnabled();
  await dialog.getByLabel("Phone number").fill("");
  await expect(button).toBeDisabled();
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("link", { name: "Add Account" })).toBeFocused();
});

test("what is typed while the code of an open dialog is on its way stays", async ({ page }) => {
  let arrive = () => {};
  const typed = new Promise<void>((done) => { arrive = done; });
  await page.route("**/split_account_dialog*.wasm", async (route) => (await typed, route.continue()));
  const live = page.waitForRequest("**/live");
  await page.goto("/accounts?add=1");
  const dialog = page.getByRole("dialog");
  // Taken over, but for the dialog: the stream of hints is open.
  await live;
  await expect(page.getByRole("link", { name: "Add Account" })).toBeVisible();
  await dialog.getByRole("radio", { name: "SMS" }).check({ force: true });
  await dialog.getByLabel("Auth Token").fill(ACCOUNT.token);
  await dialog.getByLabel("Account SID").fill(ACCOUNT.sid);
  await dialog.getByLabel("Phone number").fill("+14155550199");
  arrive();
  await hydrated(page);
  await expect(page.locator("dialog:modal")).toHaveCount(1);
  await expect(dialog).toHaveCount(1);
  await expect(dialog.getByLabel("Phone number")).toHaveValue("+14155550199");
  await expect(dialog.getByLabel("Phone number")).toBeFocused();
  await expect(dialog.getByRole("radio", { name: "SMS" })).toBeChecked();
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("row", { name: "+14155550199" })).toBeVisible();
});

test("a dialog whose code cannot be loaded says so, and the page goes on", async ({ page: first, context }) => {
  await hydrated(first);
  // A page of its own: the loader notes the failure at the console, which is no complaint here. A panic would be.
  const page = await context.newPage();
  const panics: string[] = [];
  page.on("pageerror", (error) => panics.push(String(error)));
  await open(page, "/accounts");
  await page.route("**/split_account_dialog*.wasm", (route) => route.abort());
  await page.getByRole("link", { name: "Add Account" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "could not be loaded" })).toBeVisible();
  await page.getByRole("link", { name: "Messages", exact: true }).click();
  await expect(page.getByRole("heading", { name: "No messages yet" })).toBeVisible();
  expect(panics).toEqual([]);
});

test("faults stand beside their fields, and a limit above a thousand wants a word", async ({ page }) => {
  await open(page, "/accounts?add=1");
  await fillAccount(page, { channel: "WhatsApp", number: "12345", limit: "5000" });
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByLabel("Daily message limit")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByText("More than 1000").click();
  await dialog.getByLabel("Type “raise the limit”").fill("raise the limit");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByLabel("Phone number")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("Phone number").fill("+14155550132");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(page.getByRole("row", { name: "+14155550132" })).toContainText("/ 5000");
});

test("a double click connects once", async ({ page }) => {
  await page.getByRole("link", { name: "Add Account" }).click();
  await fillAccount(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await page.getByRole("button", { name: "Connect Account" }).dblclick();
  await expect(page.getByRole("row", { name: "Reminders" })).toHaveCount(1);
  await expect(page.getByRole("alert").filter({ hasText: "already connected" })).toHaveCount(0);
});

test("a switch that the server refuses goes back and says why", async ({ page }) => {
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await page.route("**/fn/set_account_active", (route) => route.abort());
  const row = page.getByRole("row", { name: "Reminders" });
  await row.getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot be reached" })).toBeVisible();
  await expect(row.getByText("Active", { exact: true })).toBeVisible();
});
