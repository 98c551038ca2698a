// The table beside a picture, for those who read rather than look.
import { h } from "./dom";

/** The first `texts` columns hold words, the others numbers. */
export function table(
  caption: string,
  heads: string[],
  rows: string[][],
  texts = 1,
): HTMLElement {
  const side = (column: number) => ({ class: column < texts ? "lt-text" : null });
  return h(
    "table",
    { class: "lt-table" },
    h("caption", {}, caption),
    h(
      "thead",
      {},
      h("tr", {}, ...heads.map((head, i) => h("th", { scope: "col", ...side(i) }, head))),
    ),
    h(
      "tbody",
      {},
      ...rows.map(([first = "", ...rest]) =>
        h("tr", {}, h("th", { scope: "row", ...side(0) }, first), ...rest.map((cell, i) => h("td", side(i + 1), cell))),
      ),
    ),
  );
}
