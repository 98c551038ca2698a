// One memory and the tensors that lie in it: cards with their elements, and the strip of cells.
import { ArrayView, type Wish } from "../shared/array";
import { button, h, label, set } from "../shared/dom";
import { bytesText, counted, shapeText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Memory, Tensor } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const LINE = 16; // cells in a line, unless all fit into one of
const WHOLE = 24;

interface Acts {
  window(of: number, wish: Wish): void;
  strip(storage: number, start: number): void;
}

export class MemoryView {
  readonly element: HTMLElement;
  private readonly heading = h("h3");
  private readonly cards = h("div", { class: "lt-cards" });
  private readonly strip = h("div", { class: "lt-scroll lt-strip", tabindex: 0, role: "region" });
  private readonly reading = h("output", { class: "lt-arithmetic" });
  private readonly before: HTMLButtonElement;
  private readonly after: HTMLButtonElement;
  private readonly range = h("span", { class: "lt-quiet" });
  private readonly paging: HTMLElement;
  private arrays: ArrayView[] = [];
  private facts: HTMLElement[] = [];
  private memory: Memory | null = null;
  private tensors: Tensor[] = [];
  private lit: number | null = null; // the cell that is pointed at

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.before = button("←", null, () => this.page(-1));
    this.after = button("→", null, () => this.page(1));
    this.paging = h("div", { class: "lt-group" }, this.before, this.range, this.after);
    this.element = h(
      "section",
      { class: "lt-memory" },
      this.heading,
      this.cards,
      this.reading,
      this.strip,
      this.paging,
    );
  }

  draw(memory: Memory, tensors: Tensor[]): void {
    const { word } = this;
    this.memory = memory;
    this.tensors = tensors;
    const members = memory.members.map((at) => tensors[at] as Tensor);
    const names = members.map(({ name }) => name).join(", ");
    this.heading.replaceChildren(
      h("b", {}, word("tensors.memory", { size: counted(memory.size), dtype: memory.dtype })),
      ` · ${bytesText(memory.nbytes)} · ${word(members.length > 1 ? "tensors.shared" : "tensors.alone", { names })}`,
    );
    if (this.arrays.length !== members.length) this.build(members);
    members.forEach((tensor, i) => {
      this.arrays[i]?.draw(tensor.slab);
      this.facts[i]?.replaceChildren(...this.describe(tensor));
    });
    this.drawStrip(memory, members);
    const all = memory.stop - memory.start >= memory.size;
    this.paging.hidden = all;
    label(this.before, "←", word("tensors.before"));
    label(this.after, "→", word("tensors.after"));
    this.before.disabled = memory.start <= 0;
    this.after.disabled = memory.stop >= memory.size;
    const { start, stop, size } = memory;
    this.range.textContent = word("tensors.cells", { start, end: stop - 1, size: counted(size) });
  }

  private page(by: number): void {
    const memory = this.memory as Memory;
    this.acts.strip(memory.storage, Math.max(0, memory.start + by * (memory.stop - memory.start)));
  }

  private build(members: Tensor[]): void {
    const memory = this.memory as Memory;
    this.facts = members.map(() => h("dl", { class: "lt-tensor-facts" }));
    this.arrays = members.map(
      (tensor, i) =>
        new ArrayView(this.word, {
          name: tensor.name,
          width: 280,
          ask: (wish) => this.acts.window((this.memory as Memory).members[i] ?? 0, wish),
          hover: (index) => this.point(i, index),
        }),
    );
    this.cards.replaceChildren(
      ...members.map((tensor, i) =>
        h(
          "div",
          { class: `lt-card lt-tone-${(memory.members[i] ?? 0) % 6}` },
          h("h4", {}, h("i", { class: "lt-mark", "aria-hidden": "true" }), tensor.name),
          this.facts[i] as HTMLElement,
          this.arrays[i]?.element as HTMLElement,
        ),
      ),
    );
  }

  private describe(tensor: Tensor): HTMLElement[] {
    return factsOf(tensor, this.word).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  }

  /** A table of cells, line by line; below each, for every tensor, which of its elements lies there. */
  private drawStrip(memory: Memory, members: Tensor[]): void {
    const { word } = this;
    set(this.strip, { "aria-label": word("tensors.memory", { size: memory.size, dtype: memory.dtype }) });
    const length = memory.cells.length <= WHOLE ? Math.max(1, memory.cells.length) : LINE;
    const held = memory.places.map((places) => new Map(places?.map(([cell, ...rest]) => [cell, rest])));
    const tables: HTMLElement[] = [];
    for (let from = memory.start; from < memory.stop; from += length) {
      const line = Array.from({ length: Math.min(length, memory.stop - from) }, (_, i) => from + i);
      tables.push(
        h(
          "table",
          { class: "lt-cells" },
          h(
            "tbody",
            {},
            h(
              "tr",
              { class: "lt-addresses" },
              h("th", { scope: "row" }, from === memory.start ? word("tensors.memoryOf") : ""),
              ...line.map((cell) => h("td", {}, String(cell))),
            ),
            h(
              "tr",
              { class: "lt-contents" },
              h("th", { scope: "row", "aria-label": word("tensors.memoryOf") }),
              ...line.map((cell) =>
                h("td", { "data-cell": cell }, spoken(memory.cells[cell - memory.start] ?? null, 3)),
              ),
            ),
            ...members.map((tensor, i) =>
              h(
                "tr",
                { class: `lt-order lt-tone-${(memory.members[i] ?? 0) % 6}` },
                h("th", { scope: "row", title: word("tensors.order") }, tensor.name),
                ...line.map((cell) => {
                  const [element, count] = held[i]?.get(cell) ?? [];
                  if (element === undefined) return h("td", { "data-cell": cell });
                  const text = (count ?? 1) > 1 ? `${element}… ×${count}` : String(element);
                  return h("td", { class: "lt-held", "data-cell": cell }, text);
                }),
              ),
            ),
          ),
        ),
      );
    }
    this.strip.replaceChildren(...tables);
    if (memory.places.some((places) => places === null))
      this.strip.append(h("p", { class: "lt-quiet" }, word("tensors.tooMany")));
    this.light(this.lit);
    for (const box of this.strip.querySelectorAll<HTMLElement>("[data-cell]")) {
      box.addEventListener("mouseenter", () => this.touch(Number(box.dataset.cell)));
      box.addEventListener("mouseleave", () => this.touch(null));
    }
  }

  /** An element of a tensor is pointed at: its cell lights up, and how to get there is written. */
  private point(i: number, index: number[] | null): void {
    const tensor = this.tensors[this.memory?.members[i] ?? -1];
    this.light(null);
    this.reading.textContent = "";
    if (!index || !tensor) return;
    const cell = index.reduce((sum, at, axis) => sum + at * (tensor.strides[axis] ?? 0), tensor.offset);
    const steps = index.map((at, axis) => `${at}·${tensor.strides[axis]}`);
    this.reading.textContent = `${tensor.name}[${index.join(", ")}]  →  ${[tensor.offset, ...steps].join(" + ")} = ${cell}`;
    this.light(cell);
  }

  /** A cell is pointed at: the elements that lie in it light up. */
  private touch(cell: number | null): void {
    const { memory } = this;
    this.light(cell);
    if (!memory) return;
    const texts = memory.members.map((at, i) => {
      const tensor = this.tensors[at];
      const found = memory.places[i]?.find(([place]) => place === cell);
      if (!found || !tensor) {
        this.arrays[i]?.light([]);
        return "";
      }
      const index = indexOf(found[1], tensor.shape);
      this.arrays[i]?.light(occurrences(index, tensor));
      return `${tensor.name}[${index.join(", ")}]`;
    });
    this.reading.textContent = cell === null ? "" : [`${cell}`, ...texts.filter(Boolean)].join("  =  ");
  }

  private light(cell: number | null): void {
    this.lit = cell;
    for (const box of this.strip.querySelectorAll<HTMLElement>("[data-cell]"))
      box.classList.toggle("lt-lit-cell", Number(box.dataset.cell) === cell);
  }
}

export function factsOf(tensor: Tensor, word: Word): [string, string][] {
  const told = (value: boolean) => (value ? `✓ ${word("tensors.yes")}` : `✗ ${word("tensors.no")}`);
  const tuple = (sizes: number[]) => (sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(", ")})`);
  const facts: [string, string][] = [
    [word("tensors.shape"), shapeText(tensor.shape)],
    [word("tensors.strides"), tuple(tensor.strides)],
    [word("tensors.offset"), String(tensor.offset)],
    [word("tensors.dtype"), tensor.dtype],
    [word("tensors.bytes"), bytesText(tensor.nbytes)],
    [word("tensors.device"), tensor.device],
    [word("tensors.contiguous"), told(tensor.contiguous)],
    [word("tensors.requiresGrad"), told(tensor.requires_grad)],
    [word("tensors.leaf"), told(tensor.is_leaf)],
  ];
  if (tensor.made_by) facts.push([word("tensors.madeBy"), tensor.made_by]);
  if (tensor.version) facts.push([word("tensors.version"), word("tensors.times", { count: tensor.version })]);
  return facts;
}

function indexOf(element: number, shape: number[]): number[] {
  let rest = element;
  return [...shape]
    .reverse()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .reverse();
}

/** All indices that lead to the same cell: along an axis of stride 0 every one does. */
function occurrences(index: number[], tensor: Tensor): number[][] {
  return tensor.strides.reduce<number[][]>(
    (found, stride, axis) =>
      stride || found.length > 200
        ? found
        : found.flatMap((each) =>
            Array.from({ length: tensor.shape[axis] ?? 0 }, (_, i) => each.map((at, d) => (d === axis ? i : at))),
          ),
    [index],
  );
}
