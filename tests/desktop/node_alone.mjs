// Reads the archive of an export with Node.js alone.

import { readFileSync } from "node:fs";

const BLOCK = 512;

/** Return the names of the parts of an export, and the content of each of its files. */
export async function read(archive) {
  const files = new Map(tarFiles(readFileSync(archive)));
  return { config: "train_config.json", results: "pht_results", files };
}

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
