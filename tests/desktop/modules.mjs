// Reads the archive of an export with the modules of the users' desktop application.

import { createRequire } from "node:module";
import { basename } from "node:path";

/** Return the names of the parts of an export, and the content of each of its files. */
export async function read(archive, modules) {
  const load = createRequire(`${modules}/`);
  const { TrainContainerPath } = load("@personalhealthtrain/core");
  const files = new Map();
  await load("tar").list({
    file: archive,
    onentry(entry) {
      const pieces = [];
      entry.on("data", (piece) => pieces.push(piece));
      entry.on("end", () => {
        if (entry.type === "File") files.set(entry.path, Buffer.concat(pieces));
      });
    },
  });
  const { CONFIG, RESULTS } = TrainContainerPath;
  return { config: basename(CONFIG), results: basename(RESULTS), files };
}
