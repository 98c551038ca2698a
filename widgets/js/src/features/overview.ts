// The network from left to right: a column of small maps for each layer.
import { h, set } from "../shared/dom";
import { shapeText } from "../shared/numbers";
import { bytesOf, inks, paintShades } from "../shared/raster";
import type { Key } from "../shared/words";
import type { FeatureFrame, LayerInfo, Scene } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

interface Column {
  element: HTMLElement;
  maps: { button: HTMLButtonElement; canvas: HTMLCanvasElement }[];
  note: HTMLElement;
}

export class Overview {
  readonly element = h("div", { class: "lt-strip", role: "group", tabindex: -1 });
  private columns: Column[] = [];
  private scene: Scene = { columns: 0, layers: [] };
  private top = 0;
  private focus: [number, number] = [0, 0];

  constructor(
    private readonly word: Word,
    private readonly open: (layer: string, channel: number) => void,
    private readonly look: (first: number) => void,
  ) {
    let asked = 0;
    this.element.addEventListener("scroll", () => {
      if (this.scene.layers.length <= this.scene.columns) return;
      clearTimeout(asked);
      asked = window.setTimeout(() => this.look(this.firstInSight()), 90);
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  build(scene: Scene, rows: number): void {
    this.scene = scene;
    set(this.element, { "aria-label": this.word("features.title"), "aria-description": this.word("features.help") });
    this.columns = scene.layers.map((layer, at) => this.column(layer, at, rows));
    this.element.replaceChildren(...this.columns.map(({ element }) => element));
    this.focus = [0, 0];
    this.settle();
  }

  draw(frame: FeatureFrame): void {
    const table = inks(this.element);
    this.top = frame.top ?? 0;
    for (const told of frame.layers) {
      const column = this.columns[told.at];
      const layer = this.scene.layers[told.at];
      if (!column || !layer) continue;
      column.note.textContent = told.maps ? "" : this.word("features.tooLarge");
      const [count, rows, across] = told.maps ? told.size : [0, 0, 0];
      const bytes = bytesOf(told.maps);
      column.maps.forEach(({ button, canvas }, i) => {
        button.hidden = i >= count;
        if (i >= count) return;
        const one = bytes.subarray(i * rows * across, (i + 1) * rows * across);
        paintShades(canvas, one, rows, across, table);
        const channel = this.top + i;
        const name = this.word("features.map", { layer: this.name(layer), channel });
        const { opened } = frame;
        const chosen = opened?.at === told.at && opened.channel === channel;
        if (button.title !== name) set(button, { title: name, "aria-label": name });
        set(button, { "aria-pressed": String(chosen) });
      });
    }
    this.settle();
  }

  name(layer: LayerInfo): string {
    return layer.kind === "image" ? this.word("features.picture") : layer.name;
  }

  toFocus(): void {
    this.columns[this.focus[0]]?.maps[this.focus[1]]?.button.focus();
  }

  private column(layer: LayerInfo, at: number, rows: number): Column {
    const maps = Array.from({ length: Math.min(rows, layer.shape[0]) }, (_, i) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      const button = h("button", { type: "button", class: "lt-map", tabindex: -1, hidden: true }, canvas);
      button.classList.toggle("lt-line-map", layer.line);
      button.addEventListener("click", () => {
        this.focus = [at, i];
        this.settle();
        this.open(layer.key, this.top + i);
      });
      return { button, canvas };
    });
    const note = h("p", { class: "lt-quiet" });
    const head = h(
      "header",
      {},
      h("b", { title: this.name(layer) }, this.name(layer)),
      h("span", {}, layer.type || layer.op || "\u00a0"),
      h("span", {}, shapeText(layer.line ? [layer.shape[0], layer.shape[2]] : layer.shape)),
    );
    const element = h(
      "div",
      { class: `lt-column lt-column-${layer.kind}`, role: "group", "aria-label": this.name(layer) },
      head,
      ...maps.map(({ button }) => button),
      note,
    );
    return { element, maps, note };
  }

  private firstInSight(): number {
    const width = this.columns[0]?.element.offsetWidth || 80;
    return Math.max(0, Math.floor(this.element.scrollLeft / width) - 1);
  }

  /** One map is in the tab order: the one that was last chosen, or the nearest to it. */
  private settle(): void {
    const [x, y] = this.focus;
    const shown = this.columns[x]?.maps.filter(({ button }) => !button.hidden) ?? [];
    this.focus = [x, Math.max(0, Math.min(y, shown.length - 1))];
    this.columns.forEach(({ maps }, i) =>
      maps.forEach(({ button }, j) => {
        const tab = i === this.focus[0] && j === this.focus[1] ? 0 : -1;
        if (button.tabIndex !== tab) button.tabIndex = tab;
      }),
    );
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      Home: [-this.columns.length, 0],
      End: [this.columns.length, 0],
    };
    const by = steps[event.key];
    if (!by) return;
    const [x, y] = this.focus;
    this.focus = [
      Math.max(0, Math.min(this.columns.length - 1, x + by[0])),
      Math.max(0, Math.min((this.columns[x]?.maps.length ?? 1) - 1, y + by[1])),
    ];
    this.settle();
    this.toFocus();
    event.preventDefault();
  }
}
