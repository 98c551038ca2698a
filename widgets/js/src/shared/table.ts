// The table beside a picture, for those who read rather than look.
import { h } from "./dom";

export function table(caption: string, heads: string[], rows: string[][]): HTMLElement {
  return h(
    "table",
    { class: "lt-table" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h(
      "tbody",
      {},
      ...rows.map(([first = "", ...rest]) =>
        h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))),
      ),
    ),
  );
}
