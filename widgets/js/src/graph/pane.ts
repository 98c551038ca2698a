// The pane of one node: the line that made it, its formula, its value, its gradient.
import { button, h, ICONS, label, set } from "../shared/dom";
import { formula } from "../shared/mathml";
import { bytesText, secondsText, shapeText } from "../shared/numbers";
import { ArrayView, type Wish } from "../shared/array";
import { type Summary, figures, tensor } from "../shared/tensor";
import type { Key } from "../shared/words";
import type { Detail, Pane } from "./contract";
import { Badge, drawLine } from "./numbers";

type Word = (key: Key, values?: Record<string, string | number>) => string;

interface Acts {
  close(): void;
  window(of: string, wish: Wish): void;
  pick(of: string, index: number[]): void;
  show(of: string, shown: boolean): void;
  check(): void;
}

/** What one input of the node got back: the rule, the numbers, the array. */
interface Returned {
  line: HTMLElement;
  more: HTMLDetailsElement;
  array: ArrayView;
}

export class NodePane {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "lt-pane-body", tabindex: 0, role: "region" });
  private readonly heading = h("h2");
  private readonly closer: HTMLButtonElement;
  private readonly value = h("div");
  private readonly gradient = h("div");
  private readonly times = h("p", { class: "lt-quiet lt-times" });
  private readonly line = h("div", { class: "lt-numbers" });
  private readonly hint = h("p", { class: "lt-quiet lt-hint" });
  private readonly badge: Badge;
  private arrays: Record<string, ArrayView> = {};
  private returned = new Map<string, Returned>();
  private shown: string | null = null;
  private spoken = ""; // in which language

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.closer = button("", ICONS.close, () => acts.close(), true);
    this.badge = new Badge(word, () => acts.check());
    this.element = h(
      "aside",
      { class: "lt-pane", hidden: true },
      h("header", {}, this.heading, this.closer),
      this.body,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      acts.close();
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
    if (this.shown !== detail.key || this.spoken !== word("pane.value")) this.begin();
    this.spoken = word("pane.value");
    const where = detail.modules.map(({ name, type }) => `${name}: ${type}`).join(" › ");
    const facts = [shapeText(detail.shape), detail.dtype, detail.device].join(" · ");
    const via = detail.function && word("pane.via", { function: detail.function });
    this.body.replaceChildren(
      h("p", { class: "lt-quiet lt-facts" }, [facts, via].filter(Boolean).join(" · ")),
      where ? h("p", { class: "lt-quiet lt-where" }, where) : "",
      detail.source ? this.source(detail.source) : "",
      detail.formula
        ? section(
            word("pane.formula"),
            formula(detail.formula.mathml, detail.formula.latex),
            this.line,
          )
        : "",
      this.hint,
      section(word("pane.value"), this.value),
      section(word("pane.gradient"), this.gradient),
      detail.vjps.length ? this.backward(detail) : "",
      detail.vjps.length ? this.badge.element : "",
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
    const missing: Key = measured ? "pane.notYet" : "time.notMeasured";
    this.tensor(this.value, "value", pane, pane?.value, missing);
    this.tensor(this.gradient, "grad", pane, pane?.grad, detail.requiresGrad ? missing : "pane.needsNone");
    drawLine(this.line, pane?.lines.value, word);
    const lines = Object.keys(pane?.lines ?? {}).length > 0;
    this.hint.textContent = !pane?.value ? "" : lines ? word("pane.pick") : pane.arrays.value ? "" : word("pane.later");
    this.hint.hidden = !this.hint.textContent;
    for (const [name, { line, more, array }] of this.returned) {
      drawLine(line, pane?.lines[name], word);
      more.hidden = !pane?.sent.includes(name);
      const slab = pane?.arrays[name];
      if (!slab) continue;
      array.draw(slab);
      array.mark(pane?.picks[name] ?? null);
    }
    this.badge.draw(pane?.check ?? null);
    const forward = pane?.forwardSeconds;
    const backward = pane?.backwardSeconds;
    this.times.textContent = [
      forward != null && `${word("pane.forward")} ${secondsText(forward)}`,
      backward != null && `${word("pane.backwardTime")} ${secondsText(backward)}`,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** Forget the arrays of the node before. */
  private begin(): void {
    this.arrays = {};
    this.returned = new Map();
    for (const part of [this.value, this.gradient, this.line]) part.replaceChildren();
    delete this.line.dataset.latex;
    this.badge.draw(null);
  }

  /** The whole array where there is one, else its summary. */
  private tensor(
    into: HTMLElement,
    of: "value" | "grad",
    pane: Pane | null,
    summary: Summary | null | undefined,
    missing: Key,
  ): void {
    const { word } = this;
    const slab = pane?.arrays[of];
    if (!summary) into.replaceChildren(h("p", { class: "lt-none" }, word(missing)));
    else if (!slab || slab.shape.length === 0) into.replaceChildren(tensor(summary, word));
    else {
      const name = word(of === "value" ? "pane.value" : "pane.gradient");
      const array = (this.arrays[of] ??= this.array(of, name));
      array.draw(slab);
      array.mark((of === "value" && pane?.picks[of]) || null);
      // The array stays: it may have the keyboard. The figures below it are made anew.
      if (array.element.parentNode !== into) into.replaceChildren(array.element);
      while (array.element.nextSibling) array.element.nextSibling.remove();
      into.append(figures(summary, word));
    }
  }

  private array(of: string, name: string): ArrayView {
    return new ArrayView(this.word, {
      name,
      symlog: of !== "value",
      ask: (wish: Wish) => this.acts.window(of, wish),
      ...(of === "grad" ? {} : { pick: (index: number[]) => this.acts.pick(of, index) }),
    });
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
    const { word } = this;
    const rule = ({ input, formula: rule }: Detail["vjps"][number]) => {
      const name = input || detail.inputs[0]?.argument || "";
      const found = this.returned.get(name) ?? this.sent(name);
      return h(
        "div",
        { class: "lt-rule" },
        h(
          "div",
          { class: "lt-vjp" },
          h("span", { class: "lt-argument" }, input),
          rule ? formula(rule.mathml, rule.latex) : h("span", { class: "lt-none" }, word("pane.noFormula")),
        ),
        found.line,
        found.more,
      );
    };
    return section(word("pane.backward"), ...detail.vjps.map(rule));
  }

  private sent(name: string): Returned {
    const array = this.array(name, `${this.word("pane.sent")}: ${name}`);
    const more = h("details", { class: "lt-sent" }, h("summary", {}, this.word("pane.sent")), array.element);
    more.addEventListener("toggle", () => this.acts.show(name, more.open));
    const found = { line: h("div", { class: "lt-numbers" }), more, array };
    this.returned.set(name, found);
    return found;
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
