// Bundles each view into one script and one style sheet that the Python package carries.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

// A view is a folder of src/ with an index.ts; src/shared has none.
const views = readdirSync(join(here, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .filter((entry) => readdirSync(join(here, "src", entry.name)).includes("index.ts"))
  .map((entry) => entry.name);

const options = {
  entryPoints: Object.fromEntries(
    views.map((view) => [view, join(here, "src", view, "index.ts")]),
  ),
  outdir: join(here, "..", "labtorch_widgets", "static"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
