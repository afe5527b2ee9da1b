// Verifies DKIM signatures (RFC 6376, relaxed/relaxed, RFC 8463), with a given key instead of DNS.
import { createHash, type KeyObject, verify } from "node:crypto";

const relaxedHeader = (name: string, value: string) =>
  `${name.toLowerCase().trim()}:${value.replace(/\r\n(?=[ \t])/g, "").replace(/[ \t]+/g, " ").trim()}`;

const relaxedBody = (body: string) => {
  const lines = body.split("\r\n").map((line) => line.replace(/[ \t]+/g, " ").replace(/ $/, ""));
  while (lines.length > 0 && lines.at(-1) === "") lines.pop();
  return lines.length > 0 ? `${lines.join("\r\n")}\r\n` : "";
};

/** The names of the signed headers; throws when the signature does not hold. */
export function verified(raw: Buffer, key: KeyObject): string[] {
  const text = raw.toString("latin1");
  const at = text.indexOf("\r\n\r\n");
  const headers = text.slice(0, at).split(/\r\n(?![ \t])/).map((line) => {
    const colon = line.indexOf(":");
    return { name: line.slice(0, colon), value: line.slice(colon + 1) };
  });
  const signature = headers.find((header) => header.name.toLowerCase() === "dkim-signature");
  if (!signature) throw new Error("no signature");
  const tags = Object.fromEntries(signature.value.replace(/\r\n/g, "").split(";").map((tag) => {
    const equals = tag.indexOf("=");
    return [tag.slice(0, equals).trim(), tag.slice(equals + 1).replace(/\s/g, "")];
  }));
  if (tags.c !== "relaxed/relaxed") throw new Error(`canonicalized as ${tags.c}`);
  const hash = createHash("sha256").update(relaxedBody(text.slice(at + 4)), "latin1").digest("base64");
  if (hash !== tags.bh) throw new Error("the body is another one");
  const names = tags.h.split(":");
  const signed = names.flatMap((name: string) => headers.filter((header) => header.name.toLowerCase() === name).slice(-1))
    .map((header: { name: string; value: string }) => `${relaxedHeader(header.name, header.value)}\r\n`).join("");
  const own = relaxedHeader(signature.name, signature.value.replace(/b=[A-Za-z0-9+/=\s]+$/, "b="));
  const input = Buffer.from(signed + own, "latin1");
  const good = tags.a === "ed25519-sha256"
    ? verify(null, createHash("sha256").update(input).digest(), key, Buffer.from(tags.b, "base64"))
    : verify("sha256", input, key, Buffer.from(tags.b, "base64"));
  if (!good) throw new Error("the signature does not hold");
  return names;
}
