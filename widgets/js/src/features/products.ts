// What one output pixel was computed from: windows, kernels, products, and their sum.
import { cells, largestOf } from "../shared/cells";
import { h } from "../shared/dom";
import { formula } from "../shared/mathml";
import { type Num, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Axis, LayerInfo, Opened, Pixel } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
type Matrix = (Num | null)[][];

const TERMS = 8; // sums written out in the formula
const PAGE = 16; // input channels that come at a time

export class Products {
  readonly element = h("div", { class: "lt-products" });

  constructor(
    private readonly word: Word,
    private readonly choose: (index: number) => void,
  ) {}

  draw(layer: LayerInfo, opened: Opened): void {
    const { pixel } = opened;
    this.element.hidden = !pixel;
    if (!pixel) return;
    const focused = this.element.querySelector<HTMLElement>(":focus")?.dataset.input;
    const parts: (Node | null)[] = [layer.formula && formula(layer.formula.mathml, layer.formula.latex)];
    if (pixel.missing)
      parts.push(h("p", { class: "lt-quiet" }, this.word(`features.missing.${pixel.missing}`)));
    else if (pixel.kind === "convolution") parts.push(...this.convolution(opened, pixel));
    else if (pixel.kind === "pooling") parts.push(...this.pooling(opened, pixel));
    else if (pixel.kind === "normalization") parts.push(this.normalization(pixel));
    else parts.push(this.point(layer, pixel));
    this.element.replaceChildren(...parts.filter((part): part is Node => part !== null));
    if (focused !== undefined)
      this.element.querySelector<HTMLElement>(`[data-input="${focused}"]`)?.focus();
  }

  private convolution(opened: Opened, pixel: Pixel): (Node | null)[] {
    const inputs = pixel.inputs as number[];
    const { first = 0, windows = [], kernels = [], sums = [], rows = [], columns = [] } = pixel;
    const padded = this.padding(opened, rows, columns);
    const limits = { x: largestOf(windows), w: largestOf(kernels) };
    const products = windows.map((window, c) => times(window, kernels[c] ?? []));
    const most = largestOf(products);
    const chosen = inputs.indexOf(opened.input?.channel ?? -1) - first;
    const look = (size: number, limit: number, label: Key) => ({
      size,
      limit,
      read: size > 20,
      label: this.word(label),
    });
    const row = (c: number, size: number) => [
      cells(windows[c] ?? [], { ...look(size, limits.x, "features.window"), padded }),
      h("i", {}, "×"),
      cells(kernels[c] ?? [], look(size, limits.w, "features.kernel")),
      h("i", {}, "="),
      cells(products[c] ?? [], look(size, most, "features.products")),
    ];
    const sum = (c: number) => h("span", { class: "lt-sum" }, `Σ = ${spoken(sums[first + c], 3)}`);
    const big = chosen >= 0 && chosen < windows.length ? chosen : 0;
    const wide = (windows[0]?.[0]?.length ?? 1) > 5;
    const focus = h(
      "div",
      { class: "lt-focus" },
      h("b", {}, this.word("features.channel", { channel: inputs[first + big] ?? 0 })),
      h("span", { class: "lt-equation" }, ...row(big, wide ? 30 : 44), sum(big)),
    );
    const others = windows.map((_, c) => {
      const chip = h(
        "button",
        { type: "button", class: "lt-chip", "aria-pressed": String(c === big), "data-input": first + c },
        h("b", {}, String(inputs[first + c])),
        h("span", { class: "lt-equation" }, ...row(c, wide ? 6 : 9)),
        sum(c),
      );
      chip.addEventListener("click", () => this.choose(first + c));
      return chip;
    });
    const notes = [
      padded && rows.some((_, r) => columns.some((__, c) => padded(r, c))) && this.word("features.padding"),
      (rows.includes(null) || columns.includes(null)) && this.word("features.gaps"),
      (pixel.groups ?? 1) > 1 && this.word("features.groups", { groups: pixel.groups ?? 1 }),
    ].filter(Boolean);
    return [
      focus,
      inputs.length > 1 ? h("div", { class: "lt-chips" }, ...others) : null,
      inputs.length > PAGE ? this.pages(first, inputs.length) : null,
      this.equation(pixel, sums),
      notes.length ? h("p", { class: "lt-quiet" }, notes.join(" · ")) : null,
    ];
  }

  private pages(first: number, count: number): HTMLElement {
    const to = (at: number, text: Key) => {
      const button = h("button", { type: "button", class: "lt-button", "data-input": text }, this.word(text));
      button.disabled = at < 0 || at >= count;
      button.addEventListener("click", () => this.choose(at));
      return button;
    };
    const last = Math.min(first + PAGE, count) - 1;
    return h(
      "div",
      { class: "lt-group" },
      to(first - PAGE, "features.earlierPage"),
      h("span", { class: "lt-quiet" }, this.word("features.inputsShown", { first, last, count })),
      to(first + PAGE, "features.laterPage"),
    );
  }

  /** bias + the channels' sums = the total, and what the engine has. */
  private equation(pixel: Pixel, sums: Num[]): HTMLElement {
    const terms = [...(pixel.bias == null ? [] : [pixel.bias]), ...sums.slice(0, TERMS)];
    const more = sums.length > TERMS;
    const text = terms.map((term, i) => signedTerm(term, i === 0)).join(" ");
    const name = pixel.bias == null ? "Σ" : `${this.word("features.bias")} + Σ`;
    return this.result(pixel, `${name} = ${text}${more ? " + ⋯" : ""}`);
  }

  private pooling(opened: Opened, pixel: Pixel): (Node | null)[] {
    const { window = [], rows = [], columns = [] } = pixel;
    const size = Math.max(16, Math.min(44, Math.floor(420 / (window[0]?.length ?? 1))));
    const grid = cells(window, {
      size,
      limit: largestOf([window]),
      read: size > 20,
      label: this.word("features.window"),
      padded: this.padding(opened, rows, columns),
      ...(pixel.winner ? { won: pixel.winner } : {}),
    });
    const [row = 0, column = 0] = pixel.winner ?? [];
    const text =
      pixel.mode === "max"
        ? this.word("features.max", { row, column })
        : this.word("features.mean", { sum: spoken(pixel.sum, 5), count: pixel.divisor ?? 1 });
    return [h("div", { class: "lt-focus" }, grid), this.result(pixel, text)];
  }

  private normalization(pixel: Pixel): HTMLElement {
    const numbers = { input: pixel.input, centre: pixel.centre, scale: pixel.scale, weight: pixel.weight, bias: pixel.bias };
    const said = Object.entries(numbers).map(([name, value]) => [name, bracketed(value ?? null)]);
    return this.result(pixel, this.word("features.norm", Object.fromEntries(said)));
  }

  private point(layer: LayerInfo, pixel: Pixel): HTMLElement {
    const inputs = (pixel.inputs ?? []) as [string, Num][];
    const taken = inputs.map(([name, value]) => `${name} = ${spoken(value, 5)}`).join(", ");
    return this.result(pixel, `${layer.op}: ${taken}`);
  }

  private result(pixel: Pixel, text: string): HTMLElement {
    const { total, output } = pixel;
    const parts: (Node | string | null)[] = [text];
    if (total !== undefined) parts.push(" = ", h("b", { "data-role": "total" }, spoken(total, 6)));
    const engine = h("b", { "data-role": "engine" }, spoken(output, 6));
    const line = h("p", {}, this.word("features.engine"), ": ", engine);
    if (total !== undefined) {
      const by = finite(total) && finite(output) ? Math.abs(total - output) : NaN;
      const agrees = total === output || by <= 1e-5 * Math.max(1, Math.abs(Number(output)));
      const verdict = agrees
        ? this.word("features.agrees")
        : this.word("features.differs", { by: spoken(by, 2) });
      line.append(h("span", { class: agrees ? "lt-agrees" : "lt-differs" }, ` ${agrees ? "✓" : "≠"} ${verdict}`));
    }
    return h("div", { class: "lt-result" }, h("p", {}, ...parts), line);
  }

  /** Which elements of the window lie beyond the input. */
  private padding({ input }: Opened, rows: Axis, columns: Axis) {
    if (!input) return undefined;
    const [tall, wide] = input.size;
    const beyond = (at: number | null | undefined, size: number) => at != null && (at < 0 || at >= size);
    return (row: number, column: number) => {
      if (rows[row] == null || columns[column] == null) return false;
      return beyond(rows[row], tall) || beyond(columns[column], wide);
    };
  }
}

function times(window: Matrix, kernel: Matrix): Matrix {
  return window.map((line, r) =>
    line.map((x, c) => {
      const w = kernel[r]?.[c] ?? null;
      if (x === null || w === null) return null;
      if (!finite(x) || !finite(w)) return "nan";
      return x * w;
    }),
  );
}

function signedTerm(value: Num, first: boolean): string {
  if (first || !finite(value)) return first ? spoken(value, 4) : `+ ${spoken(value, 4)}`;
  return value < 0 ? `− ${spoken(-value, 4)}` : `+ ${spoken(value, 4)}`;
}

function bracketed(value: Num | null): string {
  const text = spoken(value, 4);
  return text.startsWith("−") ? `(${text})` : text;
}
