// How fast an account sends, and what it waits for.
import { axe, connect, expect, open, signUp, test } from "../support/fixtures";

test("pace and limits are set in the edit dialog, and mistakes are told beside their fields", async ({ page }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders", limit: "50" });
  await page.getByRole("link", { name: "Edit Reminders" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Most a second")).toBeHidden();
  await dialog.getByText("Pace and limits").click();
  await dialog.getByLabel("Most a second").fill("5");
  await dialog.getByLabel("The limit counts").selectOption("The last 24 hours");
  await dialog.getByLabel("Time zone of its day").fill("Mars/Olympus");
  await dialog.getByLabel("Warm-up: first day").fill("20");
  await dialog.getByLabel("Sent elsewhere today").fill("7");
  await expect(dialog.getByLabel("If nobody knows")).toHaveCount(0);
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByText("Must be a zone like Europe/Berlin.", { exact: true })).toBeVisible();
  await expect(dialog.getByLabel("Time zone of its day")).toHaveAttribute("aria-invalid", "true");
  await expect(dialog.getByLabel("Most a second")).toHaveValue("5");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axe(page), colorScheme).toEqual([]);
  }
  await dialog.getByLabel("Time zone of its day").fill("Europe/Berlin");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("meter")).toHaveAttribute("aria-valuetext", /^7 of/);
  const [account] = await (await page.request.get("/api/messaging-accounts")).json();
  expect(account).toMatchObject({ rate_per_second: 5, limit_window: "rolling", time_zone: "Europe/Berlin", warmup: { start: 20, step: 0 } });

  await page.getByRole("link", { name: "Edit Reminders" }).click();
  await expect(dialog.getByLabel("Most a second")).toHaveValue("5");
  await dialog.getByText("Pace and limits").click();
  await dialog.getByLabel("Most a second").fill("");
  await dialog.getByLabel("Warm-up: first day").fill("");
  await dialog.getByLabel("Warm-up: more each day").fill("");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  const [after] = await (await page.request.get("/api/messaging-accounts")).json();
  expect(after).toMatchObject({ rate_per_second: null, warmup: null, limit_window: "rolling" });
});

test("an account whose provider wants a pause says until when, and can be tried at once", async ({ page, simulator }) => {
  await signUp(page);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Reminders" });
  await fetch(`${simulator.url}/simulator/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind: "throttled", retry_after: 600, on: "create" }),
  });
  const message = await (await page.request.post("/api/messages", { data: { channel: "sms", to: "+14155552671", body: "Hello" } })).json();
  const row = page.getByRole("row", { name: "Reminders" });
  await expect(row).toContainText("Paused");
  await expect(row).toContainText("It goes on");
  await open(page, `/messages/${message.id}`);
  const notice = page.locator(".notice").filter({ hasText: "Provider pauses" });
  await expect(notice).toContainText("Since");
  await expect(notice.getByRole("button", { name: "Try now" })).toBeVisible();
  expect(await axe(page)).toEqual([]);

  await open(page, "/accounts");
  await row.getByRole("button", { name: "Try Reminders now" }).click();
  await expect(row.getByText("Active", { exact: true })).toBeVisible();
  await open(page, `/messages/${message.id}`);
  await expect(page.locator(".facts")).toContainText("Delivered", { timeout: 20_000 });
});
