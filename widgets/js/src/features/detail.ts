// The opened layer: all its channels, one of them enlarged, its input, and one pixel explained.
import { button, h, ICONS, label, set } from "../shared/dom";
import { duration } from "../shared/host";
import { spoken } from "../shared/numbers";
import { Plane } from "../shared/plane";
import { bytesOf, inks, paintShades } from "../shared/raster";
import type { Key } from "../shared/words";
import type { FeatureFrame, LayerInfo, MapFrame, Opened } from "./contract";
import { Products } from "./products";

type Word = (key: Key, values?: Record<string, string | number>) => string;
type Send = (command: string, values?: Record<string, unknown>) => void;

const ROOM = 232;
const SWEEP = 250; // milliseconds a pixel

export class Detail {
  readonly element = h("section", { class: "lt-detail", hidden: true });
  private readonly heading = h("h2");
  private readonly closer: HTMLButtonElement;
  private readonly grid = h("div", { class: "lt-grid" });
  private readonly gridNote = h("p", { class: "lt-quiet" });
  private readonly pages = h("div", { class: "lt-group" });
  private readonly output: Plane;
  private readonly input = new Plane(ROOM);
  private readonly picture = new Plane(ROOM);
  private readonly captions = { output: h("h3"), input: h("h3"), picture: h("h3") };
  private readonly reading = h("p", { class: "lt-reading-line", "aria-live": "off" });
  private readonly inputNote = h("p", { class: "lt-quiet" });
  private readonly pictureNote = h("p", { class: "lt-quiet" });
  private readonly sweeper: HTMLButtonElement;
  private readonly through: HTMLButtonElement;
  private readonly products: Products;
  private readonly panes: { input: HTMLElement; picture: HTMLElement };
  private opened: Opened | null = null;
  private layer: LayerInfo | null = null;
  private timer = 0;
  private hovered: [number, number] | null = null;

  constructor(
    private readonly word: Word,
    private readonly send: Send,
    private readonly open: (layer: string, channel: number) => void,
    close: () => void,
  ) {
    this.closer = button("", ICONS.close, close, true);
    this.output = new Plane(
      ROOM,
      (row, column) => {
        this.stop();
        this.move(row, column);
      },
      (at) => {
        this.hovered = at;
        this.read();
      },
    );
    this.sweeper = button("", ICONS.play, () => (this.timer ? this.stop() : this.sweep()));
    this.through = button("", null, () => {
      const on = this.through.getAttribute("aria-pressed") !== "true";
      this.send("through", { show: on });
    });
    this.products = new Products(word, (index) => this.send("input", { index }));
    const pane = (...children: Node[]) => h("div", { class: "lt-map-pane" }, ...children);
    const { captions } = this;
    this.panes = {
      input: pane(captions.input, this.input.element, this.inputNote),
      picture: pane(captions.picture, this.picture.element, this.pictureNote),
    };
    const tools = h("div", { class: "lt-group" }, this.sweeper, this.through);
    this.element.append(
      h("header", {}, this.heading, this.closer),
      h(
        "div",
        { class: "lt-panes" },
        h("div", { class: "lt-map-pane lt-all" }, this.gridNote, this.grid, this.pages),
        this.panes.picture,
        this.panes.input,
        pane(captions.output, this.output.element, this.reading, tools),
      ),
      this.products.element,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      event.stopPropagation();
    });
  }

  draw(frame: FeatureFrame, layers: LayerInfo[]): void {
    const { opened } = frame;
    const layer = opened ? layers[opened.at] : undefined;
    this.element.hidden = !opened || !layer;
    if (!opened || !layer) {
      this.stop();
      return;
    }
    [this.opened, this.layer] = [opened, layer];
    const { word } = this;
    const name = layer.kind === "image" ? word("features.picture") : layer.name;
    this.heading.replaceChildren(
      h("span", { class: "lt-name" }, name),
      h("span", { class: "lt-quiet" }, layer.type || layer.op),
      h("span", {}, word("features.channel", { channel: opened.channel })),
    );
    set(this.element, { "aria-label": name });
    label(this.closer, word("features.close"), word("features.close"));
    for (const part of this.element.children)
      if (part !== this.element.firstElementChild) (part as HTMLElement).hidden = opened.missing;
    if (opened.missing) {
      this.heading.append(h("span", { class: "lt-quiet" }, word("features.tooLarge")));
      return;
    }
    this.drawGrid(opened, layer);
    this.drawPlanes(opened);
    this.drawTools(opened, layer);
    this.products.draw(layer, opened);
  }

  private drawGrid(opened: Opened, layer: LayerInfo): void {
    const { word } = this;
    const [count, rows, across] = opened.grid.size;
    const maps = bytesOf(opened.grid.maps);
    const { kernels } = opened;
    const weights = bytesOf(kernels?.maps);
    const table = inks(this.element);
    const focused = this.grid.contains(document.activeElement);
    while (this.grid.children.length > count) this.grid.lastElementChild?.remove();
    while (this.grid.children.length < count) this.grid.append(this.thumb());
    [...this.grid.children].forEach((each, i) => {
      const thumb = each as HTMLButtonElement;
      const [map, kernel] = thumb.querySelectorAll("canvas");
      const channel = opened.page + i;
      if (map) paintShades(map, maps.subarray(i * rows * across, (i + 1) * rows * across), rows, across, table);
      if (kernel) {
        kernel.hidden = !kernels;
        const [, tall, wide] = kernels?.size ?? [0, 0, 0];
        if (kernels)
          paintShades(kernel, weights.subarray(i * tall * wide, (i + 1) * tall * wide), tall, wide, table);
      }
      const chosen = channel === opened.channel;
      set(thumb, {
        "data-channel": channel,
        "aria-pressed": String(chosen),
        "aria-label": word("features.channel", { channel }),
        title: word("features.channel", { channel }),
        tabindex: chosen || (i === 0 && !this.inPage(opened, count)) ? 0 : -1,
      });
      thumb.classList.toggle("lt-line-map", layer.line);
      if (focused && chosen) thumb.focus();
    });
    const notes = [
      word("features.allChannels"),
      kernels && word("features.kernelBelow", { channel: opened.input?.channel ?? 0 }),
    ];
    this.gridNote.textContent = notes.filter(Boolean).join(" · ");
    this.pager(opened, layer);
  }

  private inPage(opened: Opened, count: number): boolean {
    return opened.channel >= opened.page && opened.channel < opened.page + count;
  }

  private thumb(): HTMLButtonElement {
    const thumb = h(
      "button",
      { type: "button", class: "lt-map" },
      h("canvas", { "aria-hidden": "true" }),
      h("canvas", { "aria-hidden": "true", class: "lt-kernel" }),
    );
    const choose = (channel: number) => this.layer && this.open(this.layer.key, channel);
    thumb.addEventListener("click", () => choose(Number(thumb.dataset.channel)));
    thumb.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      const channel = Number(thumb.dataset.channel) + (by ?? 0);
      if (by === undefined || channel < 0 || channel >= (this.layer?.shape[0] ?? 0)) return;
      choose(channel);
      event.preventDefault();
    });
    return thumb;
  }

  private pager(opened: Opened, layer: LayerInfo): void {
    const [channels] = layer.shape;
    const [count] = opened.grid.size;
    this.pages.hidden = count >= channels;
    if (this.pages.hidden) return;
    const step = (first: number, text: Key) => {
      const to = h("button", { type: "button", class: "lt-button" }, this.word(text));
      to.disabled = first < 0 || first >= channels;
      to.addEventListener("click", () => this.send("page", { first }));
      return to;
    };
    const had = this.pages.contains(document.activeElement)
      ? [...this.pages.children].indexOf(document.activeElement as Element)
      : -1;
    this.pages.replaceChildren(
      step(opened.page - 32, "features.earlierPage"),
      h(
        "span",
        { class: "lt-quiet" },
        this.word("features.channels", {
          first: opened.page,
          last: opened.page + count - 1,
          count: channels,
        }),
      ),
      step(opened.page + 32, "features.laterPage"),
    );
    (this.pages.children[had] as HTMLElement | undefined)?.focus();
  }

  private drawPlanes(opened: Opened): void {
    const { word } = this;
    const { pixel, input, picture } = opened;
    const said = (text: string, map: MapFrame) =>
      map.exact ? text : `${text} (${word("features.coarse")})`;
    this.captions.output.textContent = said(word("features.output", { channel: opened.channel }), opened.map);
    this.output.draw(opened.map);
    this.output.point(opened.row, opened.column);
    this.panes.input.hidden = !input;
    if (input) {
      this.captions.input.textContent = said(word("features.input", { channel: input.channel }), input);
      this.input.draw(input);
      set(this.input.element, { "aria-label": this.captions.input.textContent });
      if (pixel?.rows && pixel.columns) this.input.window(pixel.rows, pixel.columns, pixel.winner);
      else this.input.clear();
      this.inputNote.textContent = `±${spoken(input.limit, 3)}`;
    }
    this.panes.picture.hidden = !picture;
    if (picture) {
      this.captions.picture.textContent = said(word("features.picturePane"), picture);
      this.picture.draw(picture);
      set(this.picture.element, { "aria-label": this.captions.picture.textContent });
      if (picture.box) this.picture.box(picture.box);
      else this.picture.clear();
      const [top, bottom, left, right] = picture.box ?? [0, 0, 0, 0];
      this.pictureNote.textContent = picture.box
        ? word("features.field", { rows: bottom - top + 1, columns: right - left + 1 })
        : word("features.noWay");
    }
    this.read();
  }

  /** Says which pixel is under the pointer, or else which one is explained. */
  private read(): void {
    const { opened, word } = this;
    if (!opened) return;
    const said = (row: number, column: number) => {
      const value = this.output.value(row, column);
      return word("features.at", { row, column, value: spoken(value === null ? null : odd(value), 5) });
    };
    const explained: [number, number] = [this.output.row, this.output.column];
    this.reading.textContent = said(...(this.hovered ?? explained));
    set(this.output.element, {
      "aria-label": word("features.pixel"),
      "aria-description": word("features.pixelHelp"),
      "aria-valuetext": said(...explained),
    });
  }

  private drawTools(opened: Opened, layer: LayerInfo): void {
    const { word } = this;
    label(this.sweeper, word(this.timer ? "features.pause" : "features.play"));
    const icon = this.sweeper.querySelector("path");
    if (icon) set(icon, { d: this.timer ? ICONS.pause : ICONS.play });
    const still = layer.kind === "image";
    this.sweeper.hidden = still || duration() === 0;
    this.through.hidden = still;
    label(this.through, word("features.through"));
    set(this.through, { "aria-pressed": String(opened.picture !== null) });
  }

  private move(row: number, column: number): void {
    this.output.point(row, column);
    this.read();
    this.send("pixel", { row, column });
  }

  /** From pixel to pixel, line by line; while the pointer is on the map it waits. */
  private sweep(): void {
    this.timer = window.setInterval(() => {
      if (this.hovered || !this.opened || document.hidden) return;
      const [rows, columns] = this.opened.map.size;
      const next = (this.output.row * columns + this.output.column + 1) % (rows * columns);
      this.move(Math.floor(next / columns), next % columns);
    }, SWEEP);
    if (this.opened && this.layer) this.drawTools(this.opened, this.layer);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = 0;
    if (this.opened && this.layer) this.drawTools(this.opened, this.layer);
  }
}

function odd(value: number) {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
