// Bundles each view into one script and one style sheet that the Python package carries.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import postcss from "postcss";
import prefixer from "postcss-prefix-selector";

const here = dirname(fileURLToPath(import.meta.url));

// A view is a folder of src/ with an index.ts; src/shared has none.
const views = readdirSync(join(here, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .filter((entry) => readdirSync(join(here, "src", entry.name)).includes("index.ts"))
  .map((entry) => entry.name);

/** Styles of a view's own folder reach into that view only: many views stand on one page, and two
 * of them may call different things by one class. `:where` leaves the weight of a rule as it is. */
const scoped = (view) => ({
  name: "scoped",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, ({ path }) => {
      const css = readFileSync(path, "utf8");
      if (!path.includes(`${sep}src${sep}${view}${sep}`)) return { contents: css, loader: "css" };
      const root = `[data-view="${view}"]`;
      // What a selector begins with is the view's own element or one inside of it.
      const first = /\.lt-view(?![\w-])/;
      const transform = (_, selector) =>
        first.test(selector)
          ? selector.replace(first, `.lt-view:where(${root})`)
          : selector.replace(/^[a-z][\w-]*|^/i, (tag) => `${tag}:where(${root}, ${root} *)`);
      const { css: contents } = postcss([prefixer({ prefix: root, transform })]).process(css, {
        from: path,
      });
      return { contents, loader: "css" };
    });
  },
});

const options = (view) => ({
  entryPoints: { [view]: join(here, "src", view, "index.ts") },
  outdir: join(here, "..", "labtorch_widgets", "static"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "info",
  define: { VIEW: JSON.stringify(view) },
  plugins: [scoped(view)],
});

if (process.argv.includes("--watch"))
  for (const view of views) await (await esbuild.context(options(view))).watch();
else await Promise.all(views.map((view) => esbuild.build(options(view))));
