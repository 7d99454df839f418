// Opens the results of a train of the route generation as the users' desktop application does.
//
// Written from docs/protocol.md. Like that application it looks at nothing but train_config.json and
// pht_results/, and verifies no signature.
//
//     node open_results.mjs EXPORT.tar PRIVATE_KEY.pem [MODULES]
//
// prints one JSON object: the path of every result file, and its plaintext in base64. The archive is
// read with the modules of that application in the folder MODULES, without it with Node.js alone.

import { constants, createDecipheriv, privateDecrypt } from "node:crypto";
import { readFileSync } from "node:fs";

const IV_BYTES = 16;

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

const [archive, keyFile, modules] = process.argv.slice(2);
const reader = await import(modules ? "./modules.mjs" : "./node_alone.mjs");
const { config: configName, results: resultsName, files } = await reader.read(archive, modules);
const key = unwrap(JSON.parse(files.get(configName)), readFileSync(keyFile));
const results = [...files].filter(([name]) => name.startsWith(resultsName + "/"));
const opened = results.map(([name, sealed]) => [
  name.slice(resultsName.length + 1),
  open(sealed, key).toString("base64"),
]);
console.log(JSON.stringify(Object.fromEntries(opened)));
