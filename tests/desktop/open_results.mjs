// Opens the results of a train of the route generation as the users' desktop application does.
//
// Written from docs/protocol.md with Node.js alone. Like that application it looks at nothing but
// train_config.json and pht_results/, and verifies no signature.
//
//     node open_results.mjs EXPORT.tar PRIVATE_KEY.pem
//
// prints one JSON object: the path of every result file, and its plaintext in base64.

import { constants, createDecipheriv, privateDecrypt } from "node:crypto";
import { readFileSync } from "node:fs";

const BLOCK = 512;
const IV_BYTES = 16;
const CONFIG = "train_config.json";
const RESULTS = "pht_results/";

/** Yield [name, content] of every regular file of a tar archive (POSIX ustar and pax). */
function* tarFiles(archive) {
  let extended = {};
  for (let offset = 0; archive[offset]; ) {
    const header = archive.subarray(offset, offset + BLOCK);
    const type = text(header, 156, 1);
    const size = Number(extended.size ?? parseInt(text(header, 124, 12), 8));
    const content = archive.subarray(offset + BLOCK, offset + BLOCK + size);
    if (type === "x") {
      extended = paxRecords(content);
    } else {
      if (type === "0" || type === "") yield [extended.path ?? ustarName(header), content];
      extended = {};
    }
    offset += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

/** Return the name in a header, which may be in two parts. */
function ustarName(header) {
  const prefix = text(header, 345, 155);
  return (prefix && prefix + "/") + text(header, 0, 100);
}

/** Return the records of a pax header, "LENGTH NAME=VALUE\n" each, the length counting all of it. */
function paxRecords(content) {
  const records = {};
  for (let offset = 0; offset < content.length; ) {
    const blank = content.indexOf(" ", offset);
    const end = offset + Number(content.toString("latin1", offset, blank));
    const equals = content.indexOf("=", blank);
    records[content.toString("utf8", blank + 1, equals)] = content.toString("utf8", equals + 1, end - 1);
    offset = end;
  }
  return records;
}

/** Return the text in a field of a header, which ends at its first zero byte. */
function text(header, start, length) {
  return header.toString("utf8", start, start + length).split("\0")[0];
}

/** Return the AES key of a train: RSA-OAEP with SHA-512, also in MGF1, without a label. */
function unwrap(config, privateKey) {
  const envelope = Buffer.from(config.creator.encrypted_key, "hex");
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return privateDecrypt({ key: privateKey, padding, oaepHash: "sha512" }, envelope);
}

/** Return the content of a sealed file: the IV, then AES-256-CBC with PKCS #7. */
function open(sealed, key) {
  const decipher = createDecipheriv("aes-256-cbc", key, sealed.subarray(0, IV_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES)), decipher.final()]);
}

const [archive, keyFile] = process.argv.slice(2);
const files = new Map(tarFiles(readFileSync(archive)));
const key = unwrap(JSON.parse(files.get(CONFIG)), readFileSync(keyFile));
const results = [...files].filter(([name]) => name.startsWith(RESULTS));
const opened = results.map(([name, sealed]) => [
  name.slice(RESULTS.length),
  open(sealed, key).toString("base64"),
]);
console.log(JSON.stringify(Object.fromEntries(opened)));
