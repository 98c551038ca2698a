// An array of any rank: a heat map or its numbers, faceted or stepped through along its other axes.
// The kernel sends the window that is shown (shared/arrays.py); this asks it for another.
import { button, h, label, set } from "./dom";
import { type Num, counted, shapeText, spoken } from "./numbers";
import type { Key } from "./words";

export interface Slab {
  shape: number[];
  of: number[]; // the whole array's shape, where only its first rows are here
  dtype: string;
  modulus: boolean;
  limit: number; // the largest finite magnitude in the array
  nan: number;
  inf: number;
  at: number[]; // an index for each slider
  sliders: number[]; // sizes of the axes that are stepped through
  facets: number[]; // sizes of the axes laid side by side
  rows: [number, number, number]; // start, end, and how many there are
  columns: [number, number, number];
  double: boolean;
  data: string; // little-endian floats, base64
}

export interface Wish {
  at: number[];
  row: number;
  column: number;
}

type Word = (key: Key, values?: Record<string, string | number>) => string;

interface Options {
  /** What the array is, for those who cannot see which heading it stands under. */
  name: string;
  ask(wish: Wish): void;
  pick?(index: number[]): void;
  hover?(index: number[] | null): void;
  symlog?: boolean;
  width?: number;
  bare?: boolean; // the picture alone
}

const GAP = 7;
const HEIGHT = 240;
const BARE_HEIGHT = 80;
const READABLE = { rows: 10, columns: 6, cells: 60 };
const DECADES = 1e3; // the logarithmic scale tells sizes down to a thousandth of the largest apart

export class ArrayView {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { class: "lt-array-map" });
  private readonly stage: HTMLElement;
  private readonly grid = h("div", { class: "lt-array-grid lt-scroll" });
  private readonly reading = h("output", { class: "lt-array-reading" });
  private readonly sliders = h("div", { class: "lt-array-sliders" });
  private readonly notes = h("span", { class: "lt-quiet" });
  private readonly scale = h("span", { class: "lt-scale", "aria-hidden": "true" });
  private readonly probe = h("i", { hidden: true });
  private readonly modeButton: HTMLButtonElement;
  private readonly scaleButton: HTMLButtonElement;
  private slab: Slab | null = null;
  private values: ArrayLike<number> = [];
  private reads: boolean | null = null; // numbers (true) or heat map, once somebody has chosen
  private symlog: boolean;
  private here: number | null = null; // the cell under the pointer or the keyboard
  private picked: number[] | null = null;
  private lit = new Set<number>();
  private later = 0;

  constructor(
    private readonly word: Word,
    private readonly options: Options,
  ) {
    this.symlog = options.symlog ?? false;
    this.stage = h("div", { class: "lt-array-stage", tabindex: 0, role: "group" }, this.canvas);
    this.modeButton = button("", null, () => {
      this.reads = !this.asNumbers();
      this.render();
    });
    this.scaleButton = button("", null, () => {
      this.symlog = !this.symlog;
      this.render();
    });
    for (const each of [this.modeButton, this.scaleButton]) each.classList.add("lt-small");
    this.element = h(
      "div",
      { class: "lt-array" },
      this.probe,
      this.sliders,
      this.stage,
      this.grid,
      h("div", { class: "lt-array-foot" }, this.scale, this.notes, this.scaleButton, this.modeButton),
      this.reading,
    );
    this.element.classList.toggle("lt-bare-array", options.bare ?? false);
    if (options.bare) this.stage.removeAttribute("tabindex");
    this.canvas.addEventListener("mousemove", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("mouseleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => this.choose(this.cellAt(event)));
    this.stage.addEventListener("keydown", this.onKey);
    this.stage.addEventListener("focus", () => this.point(this.here ?? this.cellOf(this.picked) ?? 0));
    this.stage.addEventListener("blur", () => this.point(null));
    const themed = new MutationObserver(() =>
      this.element.isConnected ? this.paint() : themed.disconnect(),
    );
    themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  }

  draw(slab: Slab): void {
    this.slab = slab;
    this.values = decode(slab);
    if (this.here !== null && this.here >= this.values.length) this.here = null;
    this.render();
  }

  /** Frames the element that something else speaks of. */
  mark(index: number[] | null): void {
    this.picked = index;
    this.paint();
  }

  /** Lights the elements at these indices. */
  light(indices: number[][]): void {
    this.lit = new Set(indices.flatMap((index) => this.cellOf(index) ?? []));
    this.paint();
  }

  // Where a cell lies

  private plane(): [number, number] {
    const { rows, columns } = this.slab as Slab;
    return [rows[1] - rows[0], columns[1] - columns[0]];
  }

  /** The index in the array of the cell shown at `cell`. */
  private indexOf(cell: number): number[] {
    const slab = this.slab as Slab;
    const [height, width] = this.plane();
    const inner = [Math.floor((cell % (height * width)) / width) + slab.rows[0], (cell % width) + slab.columns[0]];
    let facet = Math.floor(cell / (height * width));
    const outer = [...slab.facets].reverse().map((size) => {
      const index = facet % size;
      facet = Math.floor(facet / size);
      return index;
    });
    const whole = [...slab.at, ...outer.reverse(), ...inner];
    return whole.slice(whole.length - slab.shape.length);
  }

  private cellOf(index: number[] | null): number | null {
    const { slab } = this;
    if (!slab || !index || index.length !== slab.shape.length || !this.values.length) return null;
    const rank = Math.max(2, index.length);
    const whole = [...Array<number>(rank - index.length).fill(0), ...index];
    const [height, width] = this.plane();
    if (slab.at.some((value, i) => whole[i] !== value)) return null;
    const facet = slab.facets.reduce((sum, size, i) => sum * size + (whole[slab.at.length + i] ?? 0), 0);
    const row = (whole[rank - 2] ?? 0) - slab.rows[0];
    const column = (whole[rank - 1] ?? 0) - slab.columns[0];
    if (row < 0 || row >= height || column < 0 || column >= width) return null;
    return (facet * height + row) * width + column;
  }

  private value(cell: number): Num {
    const value = this.values[cell] ?? Number.NaN;
    return Number.isNaN(value) ? "nan" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : value;
  }

  /** Facets in a grid: along the last facet axis to the right, along the one before it down. */
  private layout() {
    const slab = this.slab as Slab;
    const [height, width] = this.plane();
    const count = slab.facets.reduce((product, size) => product * size, 1);
    const room = this.options.width ?? 312;
    let across = slab.facets.length > 1 ? (slab.facets[1] ?? 1) : count;
    const fits = (columns: number) =>
      Math.floor((room - GAP * (columns - 1)) / Math.max(1, columns * width));
    while (slab.facets.length < 2 && across > 1 && fits(across) < 7) across = Math.ceil(across / 2);
    // A tall picture shrinks as long as its cells can be told apart; then it scrolls.
    const tall = this.options.bare
      ? Math.floor(BARE_HEIGHT / Math.max(1, height))
      : Math.max(9, Math.floor(HEIGHT / Math.max(1, height)));
    const size = Math.max(2, Math.min(22, fits(across), tall));
    return { across, count, size, height, width };
  }

  private corner(facet: number) {
    const { across, size, height, width } = this.layout();
    return {
      x: (facet % across) * (width * size + GAP),
      y: Math.floor(facet / across) * (height * size + GAP),
    };
  }

  private cellAt({ offsetX, offsetY }: MouseEvent): number | null {
    if (!this.slab) return null;
    const { across, count, size, height, width } = this.layout();
    const scale = this.canvas.offsetWidth ? this.canvas.width / devicePixelRatio / this.canvas.offsetWidth : 1;
    const [x, y] = [offsetX * scale, offsetY * scale];
    const [left, top] = [Math.floor(x / (width * size + GAP)), Math.floor(y / (height * size + GAP))];
    const column = Math.floor((x - left * (width * size + GAP)) / size);
    const row = Math.floor((y - top * (height * size + GAP)) / size);
    const facet = top * across + left;
    if (left >= across || facet >= count || column >= width || row >= height) return null;
    return (facet * height + row) * width + column;
  }

  // Drawing

  private asNumbers(): boolean {
    if (this.options.bare) return false;
    if (this.reads !== null || !this.slab) return this.reads ?? false;
    const [height, width] = this.plane();
    return (
      width <= READABLE.columns && height <= READABLE.rows && this.values.length <= READABLE.cells
    );
  }

  private render(): void {
    const { slab, word } = this;
    if (!slab) return;
    const empty = this.values.length === 0;
    const reads = this.asNumbers();
    this.stage.hidden = reads || empty;
    this.grid.hidden = !reads || empty;
    label(this.modeButton, word(reads ? "array.map" : "array.numbers"));
    label(this.scaleButton, word(this.symlog ? "array.log" : "array.linear"), word("array.scale"));
    this.scaleButton.hidden = this.modeButton.hidden = empty || slab.shape.length === 0;
    this.scale.hidden = empty || slab.shape.length === 0;
    this.scale.replaceChildren(
      spoken(-slab.limit, 2),
      h("i", {}),
      `+${spoken(slab.limit, 2)}`,
    );
    set(this.stage, {
      role: this.options.bare ? "img" : "group",
      "aria-label": `${this.options.name}, ${word("pane.heat", { shape: shapeText(slab.of) })}. ${word("array.help")}`,
    });
    this.notes.textContent = this.remarks().join(" · ");
    this.drawSliders();
    if (reads) this.drawNumbers();
    this.paint();
    this.read();
  }

  private remarks(): string[] {
    const { slab, word } = this;
    if (!slab) return [];
    const part = (name: Key, [start, end, all]: [number, number, number]) =>
      end - start < all ? word(name, { start, end: end - 1, all }) : "";
    return [
      this.values.length === 0 ? word("array.empty") : "",
      part("array.rows", slab.rows),
      part("array.columns", slab.columns),
      String(slab.of) === String(slab.shape)
        ? ""
        : word("array.cut", { kept: slab.shape[0] ?? 0, all: slab.of[0] ?? 0 }),
      slab.nan ? `${counted(slab.nan)} NaN` : "",
      slab.inf ? `${counted(slab.inf)} ∞` : "",
      slab.modulus ? word("array.modulus") : "",
    ].filter(Boolean);
  }

  private drawSliders(): void {
    const slab = this.slab as Slab;
    if (this.sliders.childElementCount !== slab.sliders.length)
      this.sliders.replaceChildren(
        ...slab.sliders.map((_, axis) => {
          const slider = h("input", { type: "range", class: "lt-slider", min: 0, step: 1 });
          slider.addEventListener("input", () => {
            const at = [...(this.slab as Slab).at];
            at[axis] = Number(slider.value);
            this.ask({ at });
          });
          return h("label", { class: "lt-array-axis" }, h("span"), slider, h("output"));
        }),
      );
    slab.sliders.forEach((size, axis) => {
      const line = this.sliders.children[axis] as HTMLElement;
      const [name, slider, output] = line.children as unknown as [HTMLElement, HTMLInputElement, HTMLElement];
      name.textContent = this.word("array.axis", { axis });
      set(slider, { max: size - 1 });
      slider.disabled = size < 2;
      if (!slider.matches(":active")) slider.value = String(slab.at[axis] ?? 0);
      output.textContent = `${slab.at[axis]} / ${size - 1}`;
    });
  }

  private drawNumbers(): void {
    const slab = this.slab as Slab;
    const { count, height, width } = this.layout();
    const kept = this.grid.contains(document.activeElement) ? this.here : null;
    const tables = Array.from({ length: count }, (_, facet) => {
      const rows = Array.from({ length: height }, (_, row) =>
        h(
          "tr",
          {},
          ...Array.from({ length: width }, (_, column) => {
            const cell = (facet * height + row) * width + column;
            const value = this.value(cell);
            const box = h("td", { "data-cell": cell, tabindex: -1 }, spoken(value, 4));
            if (typeof value === "number") box.style.background = this.colour(value, 0.42);
            else box.classList.add("lt-odd");
            return box;
          }),
        ),
      );
      const index = this.indexOf(facet * height * width).slice(0, -2);
      return h(
        "table",
        { class: "lt-matrix", role: "grid", "aria-label": this.options.name },
        slab.facets.length ? h("caption", {}, `[${[...index, ":", ":"].join(", ")}]`) : null,
        h("tbody", {}, ...rows),
      );
    });
    this.grid.replaceChildren(...tables);
    const cells = [...this.grid.querySelectorAll<HTMLElement>("td")];
    const first = cells[this.cellOf(this.picked) ?? 0];
    if (first) first.tabIndex = 0;
    for (const each of cells) {
      const cell = Number(each.dataset.cell);
      each.addEventListener("mouseenter", () => this.point(cell));
      each.addEventListener("mouseleave", () => this.point(null));
      each.addEventListener("focus", () => this.point(cell));
      each.addEventListener("click", () => this.choose(cell));
      each.addEventListener("keydown", this.onKey);
    }
    if (kept !== null) cells[kept]?.focus({ preventScroll: true });
  }

  /** The mixed colour by style: it follows the theme by itself. */
  private colour(value: number, strongest: number): string {
    const share = this.share(value);
    const end = share > 0 ? "var(--lt-positive)" : "var(--lt-negative)";
    return `color-mix(in srgb, ${end} ${(Math.abs(share) * strongest * 100).toFixed(1)}%, var(--lt-zero))`;
  }

  private share(value: number): number {
    const limit = this.slab?.limit || 1;
    if (!this.symlog) return value / limit;
    return Math.asinh((value / limit) * DECADES) / Math.asinh(DECADES);
  }

  private paint(): void {
    const { slab } = this;
    if (!slab || !this.values.length) return;
    if (!this.element.isConnected) {
      // Colours are the style sheet's: there are none until the element is in its place.
      this.later ||= requestAnimationFrame(() => {
        this.later = 0;
        if (this.element.isConnected) this.paint();
      });
      return;
    }
    if (this.asNumbers()) {
      for (const box of this.grid.querySelectorAll<HTMLElement>("td")) {
        const cell = Number(box.dataset.cell);
        box.classList.toggle("lt-picked", cell === this.cellOf(this.picked));
        box.classList.toggle("lt-lit-cell", this.lit.has(cell));
      }
      return;
    }
    const { across, count, size, height, width } = this.layout();
    const wide = Math.min(across, count) * (width * size + GAP) - GAP;
    const high = Math.ceil(count / across) * (height * size + GAP) - GAP;
    const ratio = devicePixelRatio || 1;
    set(this.canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    this.canvas.style.width = `${wide}px`;
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    const [negative, zero, positive, alarm, ink] = (
      ["negative", "zero", "positive", "alarm", "ink"] as const
    ).map((name) => this.resolved(name)) as [RGB, RGB, RGB, RGB, RGB];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `600 ${Math.min(size, 12)}px system-ui, sans-serif`;
    for (let cell = 0; cell < this.values.length; cell++) {
      const { x, y } = this.place(cell);
      const value = this.value(cell);
      const share = typeof value === "number" ? this.share(value) : 0;
      const fill =
        typeof value === "number"
          ? mix(zero, share > 0 ? positive : negative, Math.min(1, Math.abs(share)))
          : mix(zero, alarm, 0.3);
      pen.fillStyle = css(fill);
      pen.fillRect(x, y, size - (size > 8 ? 0.5 : 0), size - (size > 8 ? 0.5 : 0));
      const glyph =
        typeof value === "string"
          ? value === "nan"
            ? "×"
            : spoken(value)
          : Math.abs(share) > 1 / 3 && size >= 12
            ? value < 0
              ? "−"
              : "+"
            : "";
      if (!glyph || size < 7) continue;
      pen.fillStyle =
        typeof value === "string"
          ? css(alarm)
          : Math.abs(share) > 0.6
            ? value < 0
              ? "#1f2328"
              : "#ffffff"
            : css(ink);
      pen.fillText(glyph, x + size / 2, y + size / 2 + 0.5);
    }
    const frame = (cell: number | null, width: number, colour: RGB) => {
      if (cell === null) return;
      const { x, y } = this.place(cell);
      pen.lineWidth = width;
      pen.strokeStyle = css(colour);
      pen.strokeRect(x + width / 2 - 0.5, y + width / 2 - 0.5, size - width + 0.5, size - width + 0.5);
    };
    for (const cell of this.lit) frame(cell, 1.5, ink);
    frame(this.cellOf(this.picked), 2.5, ink);
    frame(this.here, 1.5, ink);
  }

  private place(cell: number): { x: number; y: number } {
    const { size, height, width } = this.layout();
    const { x, y } = this.corner(Math.floor(cell / (height * width)));
    return {
      x: x + (cell % width) * size,
      y: y + Math.floor((cell % (height * width)) / width) * size,
    };
  }

  private resolved(name: string): RGB {
    this.probe.style.color = `var(--lt-${name})`;
    const found = getComputedStyle(this.probe).color.match(/[\d.]+/g)?.map(Number) ?? [];
    const unit = getComputedStyle(this.probe).color.startsWith("color(") ? 255 : 1;
    return [(found[0] ?? 0) * unit, (found[1] ?? 0) * unit, (found[2] ?? 0) * unit];
  }

  // Looking around

  private point(cell: number | null): void {
    this.here = cell;
    this.options.hover?.(cell === null ? null : this.indexOf(cell));
    this.paint();
    this.read();
  }

  private read(): void {
    const cell = this.here ?? this.cellOf(this.picked);
    if (!this.slab || cell === null || cell >= this.values.length) {
      this.reading.textContent = "";
      return;
    }
    const value = this.value(cell);
    const exact = typeof value === "number" ? written(value, this.slab.double) : spoken(value);
    this.reading.textContent = `[${this.indexOf(cell).join(", ")}] = ${exact}`;
  }

  /** Scrolls so that the cell under the keyboard is in sight. */
  private reveal(cell: number): void {
    const { y } = this.place(cell);
    const { size } = this.layout();
    const { scrollTop, clientHeight } = this.stage;
    if (y < scrollTop) this.stage.scrollTop = y;
    else if (y + size > scrollTop + clientHeight) this.stage.scrollTop = y + size - clientHeight;
  }

  private choose(cell: number | null): void {
    if (cell !== null) this.options.pick?.(this.indexOf(cell));
  }

  private ask(change: Partial<Wish>): void {
    const slab = this.slab as Slab;
    this.options.ask({ at: slab.at, row: slab.rows[0], column: slab.columns[0], ...change });
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const { slab } = this;
    if (!slab || !this.values.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const [height, width] = this.plane();
    const here = this.here ?? 0;
    const area = height * width;
    const [facet, row, column] = [Math.floor(here / area), Math.floor((here % area) / width), here % width];
    let next: number | null = null;
    const half = (size: number) => Math.max(1, Math.floor(size / 2));
    if (event.key === "ArrowLeft")
      if (column > 0) next = here - 1;
      else if (slab.columns[0] > 0) this.ask({ column: slab.columns[0] - half(width) });
    if (event.key === "ArrowRight")
      if (column < width - 1) next = here + 1;
      else if (slab.columns[1] < slab.columns[2]) this.ask({ column: slab.columns[0] + half(width) });
    if (event.key === "ArrowUp")
      if (row > 0) next = here - width;
      else if (slab.rows[0] > 0) this.ask({ row: slab.rows[0] - half(height) });
    if (event.key === "ArrowDown")
      if (row < height - 1) next = here + width;
      else if (slab.rows[1] < slab.rows[2]) this.ask({ row: slab.rows[0] + half(height) });
    if (event.key === "PageDown") next = here + area < this.values.length ? here + area : null;
    if (event.key === "PageUp") next = here - area >= 0 ? here - area : null;
    if (event.key === "Home") next = facet * area + row * width;
    if (event.key === "End") next = facet * area + row * width + width - 1;
    if (event.key === "Enter" || event.key === " ") this.choose(here);
    else if (!/^(Arrow|Page|Home|End)/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (next === null) return;
    this.point(next);
    this.reveal(next);
    if (this.asNumbers()) {
      const boxes = this.grid.querySelectorAll<HTMLElement>("td");
      for (const box of boxes) box.tabIndex = Number(box.dataset.cell) === next ? 0 : -1;
      boxes[next]?.focus();
    }
  };
}

type RGB = [number, number, number];

function mix(start: RGB, end: RGB, share: number): RGB {
  return start.map((value, i) => value + ((end[i] ?? 0) - value) * share) as RGB;
}

function css([r, g, b]: RGB): string {
  return `rgb(${r.toFixed(0)} ${g.toFixed(0)} ${b.toFixed(0)})`;
}

function decode(slab: Slab): ArrayLike<number> {
  const bytes = Uint8Array.from(atob(slab.data), (character) => character.charCodeAt(0));
  return slab.double ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

/** The shortest text that tells a float from its neighbours. */
function written(value: number, double: boolean): string {
  let text = String(value);
  if (!double)
    for (let digits = 6; digits <= 9; digits++) {
      text = String(Number(value.toPrecision(digits)));
      if (Math.fround(Number(text)) === value) break;
    }
  return text.replaceAll("-", "−");
}
