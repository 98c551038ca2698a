// How shapes are broadcast: a table of axes, and each operand repeated to the result.
import { h, s } from "../shared/dom";
import type { Key } from "../shared/words";
import type { Broadcast } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const MOST = { rows: 12, columns: 24 };
const SIZE = 18;

export function broadcast(found: Broadcast, word: Word): HTMLElement {
  const axes = found.result.map((_, axis) => axis);
  const operands = found.names.map((name, i) => ({ name, ...(found.shapes[i] as Broadcast["shapes"][number]) }));
  const bad = (axis: number) => (found.faults.includes(axis) ? "lt-fault" : null);
  const box = h(
    "div",
    { class: "lt-broadcast" },
    h(
      "table",
      { class: "lt-axes" },
      h("caption", {}, word("broadcast.title")),
      h("thead", {}, h("tr", {}, h("td"), ...axes.map((axis) => h("th", { scope: "col", class: bad(axis) }, word("broadcast.axis", { axis }))))),
      h(
        "tbody",
        {},
        ...operands.map(({ name, sizes, stretched }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            ...axes.map((axis) => {
              const size = sizes[axis] ?? null;
              const target = found.result[axis] ?? 0;
              const title = stretched[axis] ? word(size === null ? "broadcast.absent" : "broadcast.stretched", { target }) : null;
              const kind = stretched[axis] ? "lt-stretched" : bad(axis);
              const text = size === null ? "·" : String(size);
              return h("td", { class: kind, title }, text, stretched[axis] && h("span", { class: "lt-quiet" }, ` → ${target}`));
            }),
          ),
        ),
        h(
          "tr",
          { class: "lt-result" },
          h("th", { scope: "row" }, word("broadcast.result")),
          ...axes.map((axis) => h("td", { class: bad(axis) }, found.result[axis] === null ? "✗" : String(found.result[axis]))),
        ),
      ),
    ),
    h("div", { class: "lt-told", role: "status" }, ...told(found, word)),
  );
  if (found.fits) {
    const pictures = operands.map(({ name, shape, sizes }) => picture(name, shape, sizes, found.result as number[], word));
    if (pictures.every(Boolean))
      box.append(
        h("div", { class: "lt-pictures" }, ...pictures),
        h(
          "div",
          { class: "lt-legend-line lt-quiet" },
          h("i", { class: "lt-own" }),
          word("broadcast.own"),
          h("i", { class: "lt-copy" }),
          word("broadcast.copies"),
        ),
      );
  }
  return box;
}

function told(found: Broadcast, word: Word): HTMLElement[] {
  if (found.fits) return [h("p", {}, `✓ ${word("broadcast.fits", { shape: found.result.join(", ") })}`)];
  const faults = found.faults.map((axis) => {
    const sizes = found.shapes.map((each) => each.sizes[axis]).filter((size) => size != null);
    return h("p", { class: "lt-fault" }, `✗ ${word("broadcast.fault", { axis, sizes: sizes.join(", ") })}`);
  });
  const { remedy } = found;
  if (!remedy) return faults;
  const name = found.names[remedy.operand] ?? "";
  return [...faults, h("p", {}, word("broadcast.remedy", { name, dim: remedy.dim, shape: remedy.shape.join(", ") }))];
}

/** The operand's elements solid, what is repeated hatched; of at most two axes. */
function picture(name: string, shape: number[], sizes: (number | null)[], result: number[], word: Word) {
  const [rows, columns] = result.length > 1 ? result : [1, result[0] ?? 1];
  if (result.length > 2 || (rows ?? 0) > MOST.rows || (columns ?? 0) > MOST.columns) return null;
  const own = result.length > 1 ? sizes : [1, sizes[0] ?? null];
  const [high, wide] = own.map((size) => size ?? 1) as [number, number];
  const drawing = s("svg", {
    width: (columns ?? 1) * SIZE + 1,
    height: (rows ?? 1) * SIZE + 1,
    role: "img",
    "aria-label": word("broadcast.picture", { name, shape: shape.join(", "), result: result.join(", ") }),
  });
  for (let row = 0; row < (rows ?? 1); row++)
    for (let column = 0; column < (columns ?? 1); column++) {
      const copied = row >= high || column >= wide;
      drawing.append(
        s("rect", {
          x: column * SIZE + 0.5,
          y: row * SIZE + 0.5,
          width: SIZE - 1,
          height: SIZE - 1,
          rx: 2,
          class: copied ? "lt-copy" : "lt-own",
        }),
      );
    }
  return h("figure", {}, drawing, h("figcaption", {}, `${name} (${shape.join(", ")})`));
}
