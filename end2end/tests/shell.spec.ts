// What every page keeps: no serious finding of axe, light and dark; headings, titles, focus, theme, small screens.
import { axe, connect, expect, hydrated, open, signUp, test } from "../support/fixtures";

test("axe finds nothing serious on any page, light and dark", async ({ page }) => {
  test.setTimeout(120_000);
  const look = async (path: string) => {
    await open(page, path);
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      expect(await axe(page), `${path}, ${scheme}`).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "light" });
  };
  await look("/welcome");
  await look("/nothing-here");
  await signUp(page);
  await look("/accounts");
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
  for (const path of ["/", "/accounts", "/accounts?add=1", "/messages", "/messages?compose=1", "/messages?q=nothing-matches", "/leads", "/leads?add=1", "/templates", "/templates/new", "/templates/snippets", "/campaigns", "/campaigns/new", "/sequences", "/sequences/new", "/suppressions", "/suppressions?add=1", "/settings"]) {
    await look(path);
  }
  const edit = await page.goto("/accounts").then(() => page.getByRole("link", { name: "Edit Reminders" }).getAttribute("href"));
  await look(edit!);
  const failed = await page.goto("/messages?status=failed").then(() => page.locator("tbody a").first().getAttribute("href"));
  await look(failed!);
  const kim = await page.goto("/leads").then(() => page.getByRole("link", { name: "Kim Lee" }).getAttribute("href"));
  for (const dialog of ["?edit=1", "?merge=1", "?delete=1", ""]) await look(kim! + dialog);
  const sequence = await page.goto("/sequences").then(() => page.getByRole("link", { name: "After a first call" }).getAttribute("href"));
  await page.request.post(`/api${sequence}/enroll`, { data: { filter: {} } });
  for (const path of ["", "?enroll=1", "?delete=1", "?enrolled=3&no_contact=1", "?edit=1"]) await look(sequence! + path);
  await page.getByRole("button", { name: "Sign out" }).click();
  await look("/sign-in");
});

test("each page has its title and one heading, which takes the focus after navigation", async ({ page }) => {
  await signUp(page);
  for (const [link, title] of [["Messages", "Messages"], ["Leads", "Leads"], ["Settings", "Settings"], ["Accounts", "Messaging Accounts"]]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: link }).click();
    await expect(page).toHaveTitle(`${title} · Tern`);
    await expect(page.locator("h1")).toHaveCount(1);
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeFocused();
  }
  await page.keyboard.press("Tab");
  await page.reload();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
});

test("the theme is kept and is there from the first byte", async ({ page, tern }) => {
  await signUp(page);
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect.poll(async () => (await page.context().cookies()).find((c) => c.name === "tern_theme")?.value).toBe("dark");
  const html = await (await page.request.get(`${tern.url}/accounts`)).text();
  expect(html).toContain('data-theme="dark"');
});

test("nothing scrolls sideways at 320 pixels", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await signUp(page);
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByText("Sales WhatsApp").first()).toBeVisible();
  const first = async (list: string) => (await (await page.request.get(`/api/${list}`)).json()).data[0].id as string;
  const sequence = `/sequences/${await first("sequences")}`;
  await page.request.post(`/api${sequence}/enroll`, { data: { filter: {} } });
  const one = [sequence, `${sequence}?enroll=1`, `${sequence}?edit=1`, `/leads/${await first("leads")}`];
  for (const path of [...one, "/", "/accounts", "/accounts?add=1", "/messages", "/messages?compose=1", "/leads", "/leads?add=1", "/templates", "/templates/new", "/templates/snippets", "/campaigns", "/campaigns/new", "/sequences", "/sequences/new", "/suppressions", "/suppressions?add=1", "/settings"]) {
    await open(page, path);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, path).toBeLessThanOrEqual(0);
  }
});

test("no table is cut off, however wide the window is", async ({ page }) => {
  await signUp(page);
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
  const { data: [sequence] } = await (await page.request.get("/api/sequences")).json();
  await page.request.post(`/api/sequences/${sequence.id}/enroll`, { data: { filter: {} } });
  for (const path of ["/", "/accounts", "/messages", "/leads", "/templates", "/campaigns", "/sequences", `/sequences/${sequence.id}`, "/suppressions", "/settings"]) {
    await open(page, path);
    for (const width of [1440, 1280, 1241, 1024, 800, 600, 375]) {
      await page.setViewportSize({ width, height: 800 });
      const hidden = await page.locator(".table").evaluateAll((all) => all.map((table) => table.scrollWidth - table.clientWidth));
      expect(Math.max(0, ...hidden), `${path} at ${width}`).toBe(0);
    }
  }
});

test("a page says when the server stops, and goes on when it is back", async ({ page, tern }) => {
  await signUp(page);
  await open(page, "/accounts");
  await tern.stop();
  const note = page.getByText(/Tern is restarting|connection to Tern is lost/);
  await expect(note).toBeVisible();
  await tern.again();
  await expect(note).toBeHidden({ timeout: 20_000 });
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("row", { name: "Reminders" })).toBeVisible();
});

test("a stranger finds nothing: unknown pages and foreign ids", async ({ page, tern }) => {
  await signUp(page);
  const unknown = await page.goto("/nothing-here");
  expect(unknown!.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  const foreign = await page.goto("/messages/01M89BH978YP525ND5E3FJDC8E");
  expect(foreign!.status()).toBe(404);
  await expect(page.getByText("Not found")).toBeVisible();
  for (const missing of ["/templates/01M89BH978YP525ND5E3FJDC8E", "/sequences/01M89BH978YP525ND5E3FJDC8E", "/sequences/01M89BH978YP525ND5E3FJDC8E?edit=1", "/campaigns/01M89BH978YP525ND5E3FJDC8E"]) {
    expect((await page.goto(missing))!.status(), missing).toBe(404);
    await expect(page.getByText("Not found")).toBeVisible();
  }
  expect((await fetch(`${tern.url}/accounts`, { redirect: "manual", headers: { accept: "text/html" } })).status).toBe(302);
});

test("a page whose code cannot be loaded says so, and the application goes on", async ({ page: first, context }) => {
  await signUp(first);
  // A page of its own: the loader notes the failure at the console, which is no complaint here. A panic would be.
  const page = await context.newPage();
  const panics: string[] = [];
  page.on("pageerror", (error) => panics.push(String(error)));
  await page.route("**/split_messages_page*.wasm", (route) => route.abort());
  const go = (name: string) => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name }).click();
  await open(page, "/accounts");
  await go("Messages");
  await expect(page.getByRole("heading", { level: 1, name: "This page could not be loaded" })).toBeVisible();
  await expect(page).toHaveURL(/\/messages$/);
  expect(await axe(page)).toEqual([]);
  await go("Settings");
  await expect(page.getByRole("heading", { level: 1, name: "Settings" })).toBeVisible();
  await go("Messages");
  // Seen first: what is asked for meanwhile would come.
  await expect(page.getByRole("link", { name: "Reload" })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("link", { name: "Reload" }).click();
  await expect(page.getByRole("heading", { name: "No messages yet" })).toBeVisible();
  await hydrated(page);
  expect(panics).toEqual([]);
});

test("a page that the server has drawn stays when its code cannot be loaded", async ({ page: first, context }) => {
  await signUp(first);
  const page = await context.newPage();
  const panics: string[] = [];
  page.on("pageerror", (error) => panics.push(String(error)));
  await page.route("**/split_messages_page*.wasm", (route) => route.abort());
  await page.goto("/messages");
  await expect(page.getByRole("alert").filter({ hasText: "does not update by itself" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "No messages yet" })).toBeVisible();
  expect(await axe(page)).toEqual([]);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Settings" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Settings" })).toBeVisible();
  await hydrated(page);
  await page.goto("/messages");
  await page.getByRole("link", { name: "Reload" }).waitFor();
  await page.unrouteAll();
  await page.getByRole("link", { name: "Reload" }).click();
  await hydrated(page);
  expect(panics).toEqual([]);
});

test("the first load is cached for ever by its content", async ({ page }) => {
  const kept: Record<string, string> = {};
  page.on("response", (response) => {
    if (response.url().includes("/pkg/")) kept[response.url()] = response.headers()["cache-control"] + " " + response.headers()["content-encoding"];
  });
  await open(page, "/welcome");
  expect(Object.keys(kept).length).toBeGreaterThanOrEqual(3);
  for (const [url, header] of Object.entries(kept)) expect(header, url).toContain("immutable");
});

test("usage is red above eighty per cent", async ({ page }) => {
  await signUp(page);
  await page.getByRole("button", { name: "Explore with demo data" }).click();
  await expect(page.getByRole("meter", { name: "Usage today of Reminders" })).toHaveClass(/hot/);
  await expect(page.getByRole("meter", { name: "Usage today of Sales WhatsApp" })).not.toHaveClass(/hot/);
  await connect(page, { channel: "SMS", number: "+14155550199", name: "Real" });
});
