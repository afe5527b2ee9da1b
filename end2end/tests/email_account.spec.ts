// Mailboxes, as a person meets them, against a stand-in for a mail server.
import { axe, expect, open, signUp } from "../support/fixtures";
import { MAILBOX, fillMailbox, startInbox, test } from "../support/mailbox";

/** An Ed25519 seed of a test. */
const DKIM_KEY = "bWFya2VyLWRraW0ta2V5LTkzYzFhNy1tYXJrZXItMDE=";

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
  await expect(dialog.getByText("travel in clear").first()).toBeVisible();
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

test("replies, signature and the mailbox that is read can be set and changed", async ({ page, port }) => {
  await signUp(page);
  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  await fillMailbox(page, port);
  const advanced = dialog.getByText("Advanced: OAuth 2");
  await expect(dialog.getByLabel("DKIM domain")).toBeHidden();
  await advanced.click();
  await expect(dialog.getByLabel("Sign-in")).toHaveValue("password");
  await dialog.getByLabel("Replies go to").fill("answers@tern.example");
  await dialog.getByLabel("DKIM domain").fill("tern.example");
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  await expect(dialog.getByLabel("DKIM selector")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("DKIM selector").fill("t1");
  await dialog.getByLabel("DKIM private key").fill(DKIM_KEY);
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  const row = page.getByRole("row", { name: "Ann at Tern" });
  await row.getByRole("link", { name: "Edit" }).click();

  await expect(dialog.getByLabel("DKIM selector")).toBeHidden();
  await dialog.getByText("Replies and signature").click();
  await expect(dialog.getByLabel("DKIM selector")).toHaveValue("t1");
  await expect(dialog.getByLabel("DKIM private key")).toHaveValue("");
  await expect(dialog.getByText("Stored, and never shown").first()).toBeVisible();
  await dialog.getByLabel("DKIM selector").fill("t2");
  await dialog.getByText("Bounces and replies").click();
  await dialog.getByLabel("Read bounces from this mailbox").check();
  await dialog.getByLabel("IMAP host").fill("localhost");
  await dialog.getByLabel("IMAP port").fill("1");
  await dialog.getByLabel("IMAP encryption").selectOption("none");
  await expect(dialog.getByText("travel in clear").last()).toBeVisible();
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    expect(await axe(page), scheme).toEqual([]);
  }
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "IMAP: TCP failed" })).toBeVisible();
  await dialog.getByLabel("Read bounces from this mailbox").uncheck();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  const [account] = await (await page.request.get("/api/email-accounts")).json();
  expect(account).toMatchObject({ dkim_selector: "t2", dkim_domain: "tern.example", reply_to: "answers@tern.example", imap_host: null });

  await row.getByRole("link", { name: "Edit" }).click();
  await dialog.getByText("Replace credentials").click();
  await dialog.getByLabel("Sign-in").selectOption("xoauth2");
  await dialog.getByLabel("User name", { exact: true }).fill(MAILBOX.user);
  await dialog.getByLabel("Password", { exact: true }).fill(MAILBOX.token);
  await dialog.getByRole("button", { name: "Test and replace" }).click();
  await expect(dialog).toHaveCount(0);
  const [now] = await (await page.request.get("/api/email-accounts")).json();
  expect(now).toMatchObject({ smtp_auth: "xoauth2", dkim_selector: "t2" });
});

test("a mailbox that cannot be read says so in its row, and in the dialog that mends it", async ({ page, port }) => {
  await signUp(page);
  await page.getByRole("link", { name: "Add Account" }).click();
  const dialog = page.getByRole("dialog");
  await fillMailbox(page, port);
  await dialog.getByRole("button", { name: "Connect Account" }).click();
  const row = page.getByRole("row", { name: "Ann at Tern" });
  await row.getByRole("link", { name: "Edit" }).click();
  // The test of the connection gets in; whoever reads afterwards does not.
  const inbox = await startInbox(1);
  await dialog.getByText("Bounces and replies").click();
  await dialog.getByLabel("Read bounces from this mailbox").check();
  await dialog.getByLabel("IMAP host").fill("localhost");
  await dialog.getByLabel("IMAP port").fill(inbox.port);
  await dialog.getByLabel("IMAP encryption").selectOption("none");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(row).toContainText("Its mailbox cannot be read");
  await expect(row).toContainText("Active");
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    expect(await axe(page), scheme).toEqual([]);
  }
  await expect(page.getByText("the status says why")).toBeVisible();
  for (const width of [1280, 1241]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.locator(".table").evaluate((table) => table.scrollWidth - table.clientWidth), `${width}`).toBe(0);
  }
  await open(page, "/");
  await page.getByRole("link", { name: "Change the mailbox" }).click();
  await expect(dialog.getByLabel("IMAP port")).toHaveValue(inbox.port);
  await open(page, "/accounts");
  await row.getByRole("link", { name: "See why and mend it" }).click();
  await expect(dialog.getByText("AUTH failed: the server said")).toContainText("Check user name and password");
  await expect(dialog.getByLabel("IMAP port")).toHaveValue(inbox.port);
  await dialog.getByLabel("Read bounces from this mailbox").uncheck();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row).not.toContainText("cannot be read");
  inbox.stop();
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
