// Mailboxes, as a person meets them, against a stand-in for a mail server.
import { axe, expect, signUp } from "../support/fixtures";
import { MAILBOX, fillMailbox, test } from "../support/mailbox";

test("a mailbox is connected, sends, and says that it is not secure", async ({ page, port, simulator }) => {
  await signUp(page);
  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("E-mail address")).toBeHidden();
  await dialog.getByRole("radio", { name: "E-mail" }).check({ force: true });
  await expect(dialog.getByLabel("Phone number")).toBeHidden();
  await expect(dialog.getByText("Needs an app password")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Connect Account" })).toBeDisabled();

  await fillMailbox(page, port, "wrong");
  await expect(dialog.getByText("travel in clear")).toBeVisible();
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
  await expect(dialog.getByLabel("Host", { exact: true })).toHaveValue("localhost");
  await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  const row = page.getByRole("row", { name: "Ann at Tern" });
  await expect(row).toContainText(MAILBOX.user);
  await expect(row.getByText("E-mail", { exact: true })).toBeVisible();
  await expect(row).toContainText("No TLS");
  expect(await axe(page)).toEqual([]);

  await row.getByRole("link", { name: "Edit" }).click();
  await dialog.getByText("Replace credentials").click();
  await dialog.getByLabel("Password", { exact: true }).fill("wrong");
  await dialog.getByRole("button", { name: "Test and replace" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
  await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
  await dialog.getByRole("button", { name: "Test and replace" }).click();
  await expect(dialog).toHaveCount(0);

  const mail = { channel: "email", to: "kim@example.com", subject: "Hello", body: "Hello Kim" };
  const sent = await page.request.post("/api/messages?wait=20", { data: mail });
  expect(await sent.json()).toMatchObject({ status: "sent" });
  expect(await (await fetch(`${simulator.url}/mail`)).json()).toMatchObject([{ to: ["kim@example.com"], user: MAILBOX.user }]);
  await expect(row.getByRole("meter")).toHaveAttribute("aria-valuetext", "1 of 100 messages");
});

test.describe("without a script", () => {
  test.use({ javaScriptEnabled: false });

  test("the same form connects a mailbox and keeps what was typed", async ({ page, port }) => {
    await signUp(page);
    await page.getByRole("link", { name: "Add Account" }).click();
    await fillMailbox(page, port, "wrong");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Connect Account" }).click();
    await expect(dialog.getByRole("alert").filter({ hasText: "AUTH failed" })).toBeVisible();
    for (const [label, value] of [["E-mail address", MAILBOX.user], ["Display name", "Ann at Tern"], ["Host", "localhost"], ["Port", port], ["Security", "none"], ["Password", ""]]) {
      await expect(dialog.getByLabel(new RegExp(`^${label}`))).toHaveValue(value);
    }
    await dialog.getByLabel("User name", { exact: true }).fill(MAILBOX.user);
    await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.password);
    await dialog.getByRole("button", { name: "Connect Account" }).click();
    await expect(page.getByRole("row", { name: "Ann at Tern" })).toContainText("Active");
  });
});
