// Twilio's OpenAPI document judges both sides: Prism stands between Tern and the stand-in and refuses every request and
// every answer that the document does not allow. It knows success answers only; refusals are judged by the SDK.
import { expect, test } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ACCOUNT, OWNER, freePort, startSimulator, startTern } from "../../support/fixtures";

const DOCUMENT = require.resolve("@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json");
const PRISM = require.resolve("@stoplight/prism-cli/dist/index.js");
const FROM = "+14155550132";
const TO = "+15558675310";

type Running = Awaited<ReturnType<typeof startSimulator>>;
let simulator: Running;
let prism: ChildProcess;
let judged: string;
let dir: string;

/** The document but for one slip: it calls the addresses of pages `uri`, and its own examples are relative to the host. */
function corrected(): string {
  const file = join(dir, "twilio.json");
  const relative = (name: string, value: { format?: string }) =>
    /^(uri|\w+_page_uri)$/.test(name) && value?.format === "uri" ? { ...value, format: "uri-reference" } : value;
  writeFileSync(file, JSON.stringify(JSON.parse(readFileSync(DOCUMENT, "utf8"), relative)));
  return file;
}

test.beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tern-openapi-"));
  simulator = await startSimulator("--pace-ms", "0");
  const port = await freePort();
  judged = `http://127.0.0.1:${port}`;
  prism = spawn(process.execPath, [PRISM, "proxy", corrected(), simulator.url, "--errors", "--port", `${port}`], { stdio: "ignore" });
  const answers = () => fetch(judged).then(() => true, () => false);
  await expect.poll(answers, { timeout: 30_000 }).toBe(true);
});
test.afterAll(async () => {
  prism.kill();
  await simulator.stop();
  rmSync(dir, { recursive: true });
});

const ask = (path: string, form?: Record<string, string>) =>
  fetch(`${judged}/2010-04-01/Accounts/${ACCOUNT.sid}${path}`, {
    method: form ? "POST" : "GET",
    headers: { authorization: `Basic ${btoa(`${ACCOUNT.sid}:${ACCOUNT.token}`)}` },
    body: form && new URLSearchParams(form),
  });

test("the judge refuses what the document does not allow", async () => {
  const answer = await ask("/Messages.json", { To: TO, From: FROM, Body: "x", StatusCallback: "not a url" });
  expect([answer.status, (await answer.json()).title]).toEqual([422, "Invalid request"]);
});

test("every answer of the stand-in is as documented", async () => {
  const created = await ask("/Messages.json", { To: TO, From: FROM, Body: "x" });
  expect(created.status, await created.clone().text()).toBe(201);
  const { sid } = await created.json();
  await fetch(`${simulator.url}/simulator/inbound`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to: FROM, from: TO, body: "Yes", url: simulator.url }),
  });
  for (const path of [".json", "/IncomingPhoneNumbers.json", `/Messages/${sid}.json`, "/Messages.json?PageSize=1"]) {
    const answer = await ask(path);
    expect(answer.status, await answer.text()).toBe(200);
  }
});

test("Tern connects, sends and follows a message as documented", async () => {
  const tern = await startTern(judged, join(dir, "data"));
  let cookie = "";
  const call = async (path: string, body?: object) => {
    const answer = await fetch(tern.url + path, {
      method: body ? "POST" : "GET",
      headers: { "content-type": "application/json", cookie },
      body: body && JSON.stringify(body),
    });
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    expect(answer.ok, `${path}: ${await answer.clone().text()}`).toBe(true);
    return answer.json();
  };
  try {
    await call("/api/auth/sign-up", OWNER);
    for (const [channel, to] of [["sms", "+15558675311"], ["whatsapp", "+15558675312"]]) {
      const account = await call("/api/messaging-accounts", {
        provider: "twilio",
        channel,
        phone_number: FROM,
        display_name: channel,
        account_sid: ACCOUNT.sid,
        auth_token: ACCOUNT.token,
      });
      const message = { channel, messaging_account_id: account.id, to, body: "Grüße & co" };
      const { id } = await call("/api/messages", message);
      const end = channel === "whatsapp" ? "read" : "delivered";
      await expect.poll(async () => (await call(`/api/messages/${id}`)).status, { timeout: 20_000 }).toBe(end);
    }
  } finally {
    await tern.stop();
  }
});
