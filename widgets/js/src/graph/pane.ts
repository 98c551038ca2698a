// The pane of one node: the line that made it, its formula, its value, its gradient.
import { button, h, ICONS, label, set } from "../shared/dom";
import { formula } from "../shared/mathml";
import { bytesText, secondsText, shapeText } from "../shared/numbers";
import { tensor } from "../shared/tensor";
import type { Key } from "../shared/words";
import type { Detail, Pane } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export class NodePane {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "lt-pane-body", tabindex: 0, role: "region" });
  private readonly heading = h("h2");
  private readonly closer: HTMLButtonElement;
  private readonly value = h("div");
  private readonly gradient = h("div");
  private readonly times = h("p", { class: "lt-quiet lt-times" });
  private shown: string | null = null;

  constructor(
    private readonly word: Word,
    close: () => void,
  ) {
    this.closer = button("", ICONS.close, close, true);
    this.element = h(
      "aside",
      { class: "lt-pane", hidden: true },
      h("header", {}, this.heading, this.closer),
      this.body,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      event.stopPropagation();
    });
  }

  /** What stays the same from step to step. */
  describe(detail: Detail | null): void {
    this.element.hidden = detail === null;
    if (!detail) {
      this.shown = null;
      return;
    }
    const { word } = this;
    label(this.closer, word("pane.close"), word("pane.close"));
    set(this.element, { "aria-label": `${word("pane.title")}: ${detail.name}` });
    set(this.body, { "aria-label": detail.name });
    this.heading.replaceChildren(
      h("span", { class: "lt-name" }, detail.name),
      h("span", { class: `lt-tag lt-tag-${detail.kind}` }, word(`graph.kind.${detail.kind}`)),
    );
    const where = detail.modules.map(({ name, type }) => `${name}: ${type}`).join(" › ");
    const facts = [shapeText(detail.shape), detail.dtype, detail.device].join(" · ");
    const via = detail.function && word("pane.via", { function: detail.function });
    this.body.replaceChildren(
      h("p", { class: "lt-quiet lt-facts" }, [facts, via].filter(Boolean).join(" · ")),
      where ? h("p", { class: "lt-quiet lt-where" }, where) : "",
      detail.source ? this.source(detail.source) : "",
      detail.formula
        ? section(word("pane.formula"), formula(detail.formula.mathml, detail.formula.latex))
        : "",
      section(word("pane.value"), this.value),
      section(word("pane.gradient"), this.gradient),
      detail.vjps.length ? this.backward(detail) : "",
      detail.saved.length ? this.saved(detail) : "",
      detail.inputs.length ? this.inputs(detail) : "",
      detail.arguments.length ? this.arguments(detail) : "",
      this.times,
    );
    if (this.shown !== detail.key) this.body.scrollTop = 0;
    this.shown = detail.key;
  }

  /** What each step changes. */
  fill(detail: Detail | null, pane: Pane | null, measured: boolean): void {
    if (!detail) return;
    const { word } = this;
    const none = (text: Key) => h("p", { class: "lt-none" }, word(text));
    const missing: Key = measured ? "pane.notYet" : "time.notMeasured";
    this.value.replaceChildren(pane?.value ? tensor(pane.value, word) : none(missing));
    this.gradient.replaceChildren(
      pane?.grad
        ? tensor(pane.grad, word)
        : none(detail.requiresGrad ? missing : "pane.needsNone"),
    );
    const forward = pane?.forwardSeconds;
    const backward = pane?.backwardSeconds;
    this.times.textContent = [
      forward != null && `${word("pane.forward")} ${secondsText(forward)}`,
      backward != null && `${word("pane.backwardTime")} ${secondsText(backward)}`,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  private source(source: NonNullable<Detail["source"]>): HTMLElement {
    const indent = source.text.length - source.text.trimStart().length;
    const text = source.text.trim();
    const start = Math.max(0, source.column - indent);
    const end = source.end_line > source.line ? text.length : source.end_column - indent;
    const cell = /ipykernel_|^<ipython/.test(source.file);
    const file = cell ? this.word("pane.cell") : (source.file.split(/[\\/]/).pop() ?? "");
    const place = [
      file,
      this.word("pane.line", { line: source.line }),
      source.function && !source.function.startsWith("<")
        ? this.word("pane.in", { function: source.function })
        : "",
    ];
    const code = h(
      "code",
      { class: "lt-source" },
      text.slice(0, start),
      h("u", {}, text.slice(start, end)),
      text.slice(end),
    );
    return section(
      this.word("pane.source"),
      h("pre", { tabindex: 0, "aria-label": this.word("pane.source") }, code),
      h("p", { class: "lt-quiet lt-where" }, place.filter(Boolean).join(" · ")),
    );
  }

  private backward(detail: Detail): HTMLElement {
    return section(
      this.word("pane.backward"),
      ...detail.vjps.map((vjp) =>
        h(
          "div",
          { class: "lt-vjp" },
          h("span", { class: "lt-argument" }, vjp.input),
          vjp.formula
            ? formula(vjp.formula.mathml, vjp.formula.latex)
            : h("span", { class: "lt-none" }, this.word("pane.noFormula")),
        ),
      ),
    );
  }

  private saved(detail: Detail): HTMLElement {
    return section(
      this.word("pane.saved"),
      facts(
        detail.saved.map((saved) => [
          saved.name,
          `${shapeText(saved.shape)} · ${saved.dtype} · ${bytesText(saved.nbytes)}`,
        ]),
      ),
    );
  }

  private inputs(detail: Detail): HTMLElement {
    return section(
      this.word("pane.inputs"),
      facts(
        detail.inputs.map((input) => [
          input.argument,
          [input.from, shapeText(input.shape)].filter(Boolean).join(" · "),
        ]),
      ),
    );
  }

  private arguments(detail: Detail): HTMLElement {
    return section(
      this.word("pane.arguments"),
      facts(detail.arguments.map(({ name, value }) => [name, value])),
    );
  }
}

function section(title: string, ...children: (Node | string)[]): HTMLElement {
  return h("section", {}, h("h3", {}, title), ...children);
}

function facts(rows: string[][]): HTMLElement {
  return h(
    "dl",
    { class: "lt-facts-list" },
    ...rows.map(([name = "", value = ""]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}
