// Twilio's own SDK judges the stand-in: what the vendor's client reads, rejects and verifies there, it would at Twilio.
import { expect, test } from "@playwright/test";
import { createServer, type IncomingMessage, type Server } from "node:http";
import twilio from "twilio";
import RequestClient from "twilio/lib/base/RequestClient";
import { ACCOUNT, startSimulator } from "../../support/fixtures";

const KEY = { sid: "SK00000000000000000000000000000001", secret: "simulator-key-secret-000000000001" };
const FROM = "+14155550132";
const TO = "+15558675310";

let simulator: Awaited<ReturnType<typeof startSimulator>>;

/** The SDK's client, but for the host. */
class Redirected extends RequestClient {
  request<T>(options: Parameters<RequestClient["request"]>[0]) {
    return super.request<T>({ ...options, uri: options.uri.replace("https://api.twilio.com", simulator.url) } as never);
  }
}

const client = (user = ACCOUNT.sid, password = ACCOUNT.token, options: object = {}) =>
  twilio(user, password, { accountSid: ACCOUNT.sid, httpClient: new Redirected(options) });

const command = async (path: string, body: object = {}) => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${simulator.url}/simulator/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  expect(answer.ok, await answer.clone().text()).toBe(true);
  return answer;
};

const accepted = async (): Promise<{ sid: string }[]> => (await fetch(`${simulator.url}/simulator/accepted`)).json();

/** What the SDK throws. */
const refusal = async (call: Promise<unknown>) => {
  const error = await call.then(() => null, (thrown) => thrown);
  expect(error).toBeInstanceOf(twilio.RestException);
  return { status: error.status, code: error.code };
};

test.beforeAll(async () => { simulator = await startSimulator("--pace-ms", "0"); });
test.beforeEach(async () => {
  await command("reset");
  await command("settings", { manual: true });
});
test.afterAll(async () => simulator.stop());

test("a message is created, read and listed", async () => {
  const created = await client().messages.create({ to: TO, from: FROM, body: "Grüße & co" });
  expect(created).toMatchObject({ to: TO, from: FROM, body: "Grüße & co", status: "queued", direction: "outbound-api" });
  expect(created.sid).toMatch(/^SM[0-9a-f]{32}$/);
  expect(created.dateCreated.getTime()).toBeGreaterThan(Date.now() - 10_000);
  expect([created.dateSent, created.errorCode, created.price]).toEqual([null, null, null]);
  await command("flush");
  const read = await client().messages(created.sid).fetch();
  expect(read).toMatchObject({ sid: created.sid, status: "delivered", price: "-0.00790", numSegments: "1", numMedia: "0" });
  expect(read.dateSent).toBeInstanceOf(Date);
  expect(await client().messages.list({ to: TO, from: FROM })).toMatchObject([{ sid: created.sid }]);
});

test("the SDK follows the pages, and filters by day", async () => {
  const sids: string[] = [];
  for (let n = 0; n < 5; n += 1) sids.unshift((await client().messages.create({ to: TO, from: FROM, body: `${n}` })).sid);
  await command("flush");
  expect((await client().messages.list({ pageSize: 2 })).map((message) => message.sid)).toEqual(sids);
  expect((await client().messages.list({ limit: 3 })).map((message) => message.sid)).toEqual(sids.slice(0, 3));
  const day = 24 * 3600 * 1000;
  expect(await client().messages.list({ dateSentAfter: new Date(Date.now() - day) })).toHaveLength(5);
  expect(await client().messages.list({ dateSentBefore: new Date(Date.now() - day) })).toHaveLength(0);
  expect(await client().messages.list({ to: "+15558675311" })).toHaveLength(0);
});

test("the account and its numbers are read", async () => {
  const account = await client().api.v2010.accounts(ACCOUNT.sid).fetch();
  expect(account).toMatchObject({ sid: ACCOUNT.sid, status: "active", type: "Full" });
  const numbers = await client().incomingPhoneNumbers.list({ phoneNumber: FROM });
  expect(numbers).toMatchObject([{ phoneNumber: FROM, capabilities: { sms: true }, status: "in-use" }]);
  expect(await client().incomingPhoneNumbers.list()).toHaveLength(4);
  await command("account", { status: "suspended" });
  expect((await client().api.v2010.accounts(ACCOUNT.sid).fetch()).status).toBe("suspended");
  expect(await refusal(client().messages.create({ to: TO, from: FROM, body: "x" }))).toEqual({ status: 401, code: 20005 });
});

test("refusals have Twilio's codes", async () => {
  const create = (options: object) => refusal(client().messages.create({ to: TO, from: FROM, body: "x", ...options }));
  for (const [options, code] of [
    [{ to: "hello" }, 21211],
    [{ to: "+15005550009" }, 21614],
    [{ to: "+15005550004" }, 21610],
    [{ from: "+4915123456789" }, 21606],
    [{ body: "" }, 21602],
    [{ body: undefined }, 21619],
    [{ body: "x".repeat(1601) }, 21617],
    [{ statusCallback: "nowhere" }, 21609],
  ] as const) {
    expect(await create(options), JSON.stringify(options)).toEqual({ status: 400, code });
  }
  const nobody = "SM00000000000000000000000000000000";
  expect(await refusal(client().messages(nobody).fetch())).toEqual({ status: 404, code: 20404 });
  expect(await refusal(client(ACCOUNT.sid, "wrong").messages.list())).toEqual({ status: 401, code: 20003 });
  expect(await accepted()).toEqual([]);
});

test("a Standard key sends, and does not read the account", async () => {
  const key = client(KEY.sid, KEY.secret);
  expect((await key.messages.create({ to: TO, from: FROM, body: "x" })).accountSid).toBe(ACCOUNT.sid);
  expect(await key.messages.list()).toHaveLength(1);
  expect(await refusal(key.api.v2010.accounts(ACCOUNT.sid).fetch())).toEqual({ status: 401, code: 20003 });
});

test("a WhatsApp message keeps its prefixes", async () => {
  const sent = await client().messages.create({ to: `whatsapp:${TO}`, from: `whatsapp:${FROM}`, body: "x" });
  await command("flush");
  const read = await client().messages(sent.sid).fetch();
  expect(read).toMatchObject({ to: `whatsapp:${TO}`, from: `whatsapp:${FROM}`, status: "read" });
});

test("429 is no message, and the SDK repeats it", async () => {
  const message = { to: TO, from: FROM, body: "x" };
  await command("faults", { kind: "throttled", retry_after: 1, times: 1 });
  expect(await refusal(client().messages.create(message))).toEqual({ status: 429, code: 20429 });
  await command("faults", { kind: "throttled", times: 2 });
  await client(ACCOUNT.sid, ACCOUNT.token, { autoRetry: true }).messages.create(message);
  expect(await accepted()).toHaveLength(1);
});

test("an answer is lost, its message is not", async () => {
  const message = { to: TO, from: FROM, body: "x" };
  await command("faults", { kind: "fail" });
  expect(await refusal(client().messages.create(message))).toEqual({ status: 500, code: 20500 });
  expect(await accepted()).toHaveLength(0);
  await command("faults", { kind: "accept_then_fail" });
  expect(await refusal(client().messages.create(message))).toEqual({ status: 500, code: 20500 });
  await command("faults", { kind: "accept_then_drop" });
  const lost = await client().messages.create(message).then(() => null, (error) => error);
  expect(lost).toMatchObject({ code: "ECONNRESET" });
  expect(await client().messages.list()).toHaveLength(2);
});

test.describe("webhooks", () => {
  type Call = { path: string; signature: string; token: string; params: Record<string, string> };
  let server: Server;
  let url: string;
  let calls: Call[];

  const text = async (request: IncomingMessage) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  };

  test.beforeEach(async () => {
    calls = [];
    server = createServer(async (request, response) => {
      const params = Object.fromEntries(new URLSearchParams(await text(request)));
      const header = (name: string) => String(request.headers[name]);
      calls.push({
        path: request.url ?? "",
        signature: header("x-twilio-signature"),
        token: header("i-twilio-idempotency-token"),
        params,
      });
      response.end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  test.afterEach(async () => { await new Promise((done) => server.close(done)); });

  const verify = (call: Call, token = ACCOUNT.token) => twilio.validateRequest(token, call.signature, url + call.path, call.params);

  test("every report is signed", async () => {
    const sent = await client().messages.create({ to: TO, from: FROM, body: "x", statusCallback: `${url}/status?m=1#rc=3` });
    expect(await (await command("flush")).json()).toEqual([200, 200]);
    expect(calls.map((call) => call.params.MessageStatus)).toEqual(["sent", "delivered"]);
    for (const call of calls) {
      expect(call.path).toBe("/status?m=1");
      expect(call.params).toMatchObject({ MessageSid: sent.sid, AccountSid: ACCOUNT.sid, To: TO, From: FROM });
      expect([verify(call), verify(call, "another token")]).toEqual([true, false]);
    }
  });

  test("reports come by themselves", async () => {
    await command("settings", { manual: false });
    await client().messages.create({ to: "+15005550030", from: FROM, body: "x", statusCallback: url });
    await expect.poll(() => calls.map((call) => call.params.MessageStatus)).toEqual(["sent", "undelivered"]);
    expect(calls[1].params.ErrorCode).toBe("30003");
  });

  test("a repeat carries the token of the first", async () => {
    await command("settings", { duplicate_callbacks: true });
    await client().messages.create({ to: "+15005550050", from: FROM, body: "x", statusCallback: url });
    await command("flush");
    expect(calls).toHaveLength(2);
    expect(calls[0]).toEqual(calls[1]);
  });

  test("a reply is signed, and listed", async () => {
    const reply = { to: `whatsapp:${FROM}`, from: `whatsapp:${TO}`, body: "Grüße & co\n", url: `${url}/inbound` };
    expect(await (await command("inbound", reply)).json()).toEqual({ answer: 200 });
    expect(calls[0].params).toMatchObject({ Body: reply.body, From: reply.from, To: reply.to, WaId: "15558675310" });
    expect(verify(calls[0])).toBe(true);
    const listed = await client().messages.list({ to: reply.to });
    expect(listed).toMatchObject([{ direction: "inbound", status: "received", body: reply.body }]);
  });
});
