// Makes Paillier keys and opens encrypted numbers as the users' desktop application does.
//
// Written from docs/protocol.md, with the modules of that application in the folder MODULES.
//
//     node paillier.mjs MODULES keys NUMBER...
//     node paillier.mjs MODULES decrypt PUBLIC.json PRIVATE.json < RESULT.he.json
//
// The first prints both halves of a new key and the encrypted numbers as text, in one JSON object;
// the second the opened result.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const APPLICATION_KEY_BITS = 128;

const [modules, action, ...words] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const { generateRandomKeys, PrivateKey, PublicKey } = load("paillier-bigint");
const json = load("json-bigint")({ useNativeBigInt: true });

/** Return an object whose numbers are decimal text. */
function asText(numbers) {
  return Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, n.toString()]));
}

/** Return a value of a result with its encrypted numbers decrypted. */
function opened(value, key) {
  if (typeof value === "bigint" || typeof value === "string") return key.decrypt(BigInt(value));
  if (Array.isArray(value)) return value.map((part) => opened(part, key));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, opened(part, key)]));
}

if (action === "keys") {
  const { publicKey, privateKey } = await generateRandomKeys(APPLICATION_KEY_BITS);
  const encrypted = words.map((number) => publicKey.encrypt(BigInt(number)).toString());
  const publicHalf = asText({ n: publicKey.n, g: publicKey.g });
  const privateHalf = asText({ mu: privateKey.mu, lambda: privateKey.lambda });
  console.log(JSON.stringify({ public: publicHalf, private: privateHalf, encrypted }));
} else {
  const [{ n, g }, { lambda, mu }] = words.map((file) => JSON.parse(readFileSync(file)));
  const key = new PrivateKey(BigInt(lambda), BigInt(mu), new PublicKey(BigInt(n), BigInt(g)));
  try {
    process.stdout.write(json.stringify(opened(json.parse(readFileSync(0, "utf8")), key)));
  } catch (problem) {
    console.error(problem.message);
    process.exitCode = 1;
  }
}
