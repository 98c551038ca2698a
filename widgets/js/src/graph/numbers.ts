// An equation with its numbers put in, and what a check of the gradient found.
import { button, h, label, set } from "../shared/dom";
import { formula } from "../shared/mathml";
import { spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Check, Checked, Line } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

/** The equation in pieces, so that a narrow pane breaks it where a book would. */
export function drawLine(into: HTMLElement, line: Line | undefined, word: Word): void {
  into.hidden = !line;
  if (!line || into.dataset.latex === line.latex) return;
  into.dataset.latex = line.latex;
  const equation = h("div", { class: "lt-equation", role: "math", "aria-label": line.latex });
  for (const piece of line.pieces) {
    const part = formula(piece, "");
    for (const name of ["role", "aria-label"]) part.removeAttribute(name);
    part.setAttribute("display", "inline");
    equation.append(part, " ");
  }
  const many = line.terms > 5 && h("span", { class: "lt-quiet" }, word("pane.terms", { count: line.terms }));
  into.replaceChildren(equation, ...(many ? [many] : []));
}

const GLYPHS = { ok: "✓", wrong: "✗", kink: "∧", unknown: "?" } as const;

/** The button that asks for a check, and the verdict for each input. */
export class Badge {
  readonly element: HTMLElement;
  private readonly ask: HTMLButtonElement;
  private readonly verdicts = h("div", { class: "lt-verdicts", role: "status" });

  constructor(
    private readonly word: Word,
    ask: () => void,
  ) {
    this.ask = button("", null, ask);
    this.element = h("section", { class: "lt-check" }, this.ask, this.verdicts);
  }

  draw(check: Check | null): void {
    const { word } = this;
    label(this.ask, word("check.ask"), word("check.how"));
    set(this.ask, { "aria-label": word("check.ask") });
    if (!check) {
      this.verdicts.replaceChildren();
      return;
    }
    if (!check.inputs) {
      const text = word(check.over ? "check.over" : "check.waiting");
      this.verdicts.replaceChildren(h("p", { class: "lt-quiet" }, text));
      return;
    }
    this.verdicts.replaceChildren(...check.inputs.map((each) => this.verdict(each)));
  }

  private verdict(checked: Checked): HTMLElement {
    const { word } = this;
    const place = checked.index ? `[${checked.index.join(", ")}]` : word("check.direction");
    const values = {
      error: spoken(checked.error, 2),
      place,
      count: checked.directions,
      kinks: checked.kinks,
      recorded: spoken(checked.recorded, 4),
      difference: spoken(checked.difference, 4),
    };
    const text =
      checked.verdict === "unknown"
        ? word(`check.${checked.reason || "other"}`)
        : word(`check.${checked.verdict}.told`, values);
    return h(
      "p",
      { class: `lt-verdict lt-verdict-${checked.verdict}` },
      h(
        "span",
        { class: "lt-badge" },
        h("i", { "aria-hidden": "true" }, GLYPHS[checked.verdict]),
        word(`check.${checked.verdict}`),
      ),
      h("span", { class: "lt-argument" }, checked.input),
      " ",
      text,
    );
  }
}
