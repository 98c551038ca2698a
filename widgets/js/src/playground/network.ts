// The network: units as small maps of what they do, links as wide and coloured as their weights.
import { signed } from "../shared/colour";
import { button, h, ICONS, label, s, set } from "../shared/dom";
import { finite, type Num, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import { type Choices, COARSE, FEATURES, MOST, type Place, type PlayFrame } from "./contract";
import { decoded, paintMap } from "./maps";

type Word = (key: Key, values?: Record<string, string | number>) => string;

interface Acts {
  choose(changes: Partial<Choices>): void;
  look(place: Place | null): void;
  write(layer: number, unit: number, source: number | null, value: number): void;
}

const SIZE = 40; // of a unit
const PITCH = 50; // from one unit to the one below
const NARROWEST = 58; // column; beyond that the network scrolls
const HEAD = 36;
const LABEL = 46; // room for the features' names
const STRONG = 2.5; // a weight that has the strongest colour
const CELLS = COARSE * COARSE;

export class Network {
  readonly element = h("div", { class: "lt-net", role: "group" });
  private readonly links = s("svg", { class: "lt-links", "aria-hidden": "true" });
  private readonly units: HTMLElement[][] = [];
  private readonly tip = h("div", { class: "lt-tip", hidden: true });
  private readonly card = h("div", { class: "lt-card", role: "dialog", hidden: true });
  private frame: PlayFrame | null = null;
  private choices: Choices | null = null;
  private built = "";
  private opened: { place: Place; source: number | null; whole: boolean } | null = null;
  private returnTo: HTMLElement | null = null;

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.element.append(this.links, this.tip, this.card);
    this.card.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.element.addEventListener("pointerdown", (event) => {
      if (event.target === this.element || event.target === this.links) this.close();
    });
  }

  /** The name that a unit has everywhere. */
  name({ layer, unit }: Place): string {
    const layers = this.choices?.layers ?? [];
    if (layer === 0) return this.choices?.features[unit] ?? "";
    if (layer > layers.length) return this.word("play.outputUnit");
    return this.word("play.unit", { layer, unit: unit + 1 });
  }

  /** The map of a unit's activation, and the size that its strongest colour stands for. */
  map({ layer, unit }: Place): { cells: Int8Array; limit: number } | null {
    const own = this.frame?.units[layer - 1];
    if (!own) return null;
    const cells = decoded(own.maps).subarray(unit * CELLS, (unit + 1) * CELLS);
    return { cells, limit: own.limit };
  }

  draw(choices: Choices, frame: PlayFrame, inputs: { names: string[]; maps: string }): void {
    this.element.style.minWidth = `${LABEL + (choices.layers.length + 2) * NARROWEST}px`;
    const width = this.element.clientWidth;
    if (!width) return;
    this.choices = choices;
    this.frame = frame;
    const key = JSON.stringify([choices.layers, choices.features, width, inputs.maps.length, this.word("play.features")]);
    if (key !== this.built) {
      this.built = key;
      this.build(width, inputs);
    }
    if (frame.layers.length !== choices.layers.length + 1) return; // its run is on its way
    this.fill(frame);
    if (this.opened) this.fillCard();
  }

  private build(width: number, inputs: { names: string[]; maps: string }): void {
    const choices = this.choices as Choices;
    const focused = this.element.querySelector<HTMLElement>(":focus")?.dataset.key;
    this.close(false);
    const rows = Math.max(FEATURES.length, ...choices.layers);
    const height = HEAD + rows * PITCH;
    this.element.style.height = `${height}px`;
    set(this.links, { width, height, viewBox: `0 0 ${width} ${height}` });
    const columns = choices.layers.length + 2;
    const x = (column: number) => LABEL + ((width - LABEL - SIZE - 2) * column) / (columns - 1);
    const y = (row: number) => HEAD + row * PITCH;
    const features = this.features(inputs, x(0), y);
    const parts: HTMLElement[] = [...features.all];
    this.units.splice(0, Infinity, features.chosen);
    choices.layers.forEach((count, at) => {
      const layer = at + 1;
      parts.push(this.head(layer, x(layer), width / columns));
      this.units.push(
        Array.from({ length: count }, (_, unit) => this.unit({ layer, unit }, x(layer), y(unit))),
      );
    });
    const middle = y(0) + ((Math.max(...choices.layers.slice(-1), 1) - 1) * PITCH) / 2;
    const output = this.unit({ layer: columns - 1, unit: 0 }, x(columns - 1), middle);
    output.classList.add("lt-output-unit");
    this.units.push([output]);
    this.element.replaceChildren(this.links, ...parts, ...this.units.slice(1).flat(), this.tip, this.card);
    this.buildLinks();
    if (focused) this.element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  private features(inputs: { names: string[]; maps: string }, left: number, y: (row: number) => number) {
    const choices = this.choices as Choices;
    const maps = decoded(inputs.maps);
    const title = h("h3", { class: "lt-column" }, this.word("play.features"));
    const buttons = FEATURES.map((name, row) => {
      const at = inputs.names.indexOf(name);
      const on = choices.features.includes(name);
      const canvas = h("canvas", { "aria-hidden": "true" });
      const element = h("button", {
        type: "button",
        class: "lt-feature",
        "aria-pressed": String(on),
        "aria-label": this.word("play.feature", { name }),
        "data-part": "features",
        "data-key": `feature ${name}`,
      }, h("span", {}, ...written(name)), canvas);
      Object.assign(element.style, { left: "0", top: `${y(row)}px`, width: `${left + SIZE}px` });
      if (on && at >= 0) paintMap(canvas, maps.subarray(at * CELLS, (at + 1) * CELLS));
      element.addEventListener("click", () => {
        const now = choices.features.includes(name)
          ? choices.features.filter((each) => each !== name)
          : [...choices.features, name];
        if (now.length) this.acts.choose({ features: now });
      });
      return [name, element] as const;
    });
    const chosen = inputs.names.flatMap((name) => buttons.filter(([each]) => each === name).map(([, e]) => e));
    return { all: [title, ...buttons.map(([, element]) => element)], chosen };
  }

  private head(layer: number, left: number, room: number): HTMLElement {
    const layers = this.choices?.layers ?? [];
    const count = layers[layer - 1] ?? 0;
    const change = (by: number) =>
      this.acts.choose({ layers: layers.map((size, at) => (at === layer - 1 ? size + by : size)) });
    const fewer = button("", ICONS.minus, () => change(-1), true);
    const more = button("", ICONS.plus, () => change(1), true);
    label(fewer, "", this.word("play.fewerUnits", { layer }));
    label(more, "", this.word("play.moreUnits", { layer }));
    fewer.disabled = count <= 1;
    more.disabled = count >= MOST.units;
    fewer.dataset.key = `fewer ${layer}`;
    more.dataset.key = `more ${layer}`;
    const units = this.word(count === 1 ? "play.unitsOne" : "play.units", { count });
    const element = h(
      "div",
      { class: "lt-layer-head", "data-part": `layer ${layer}` },
      fewer,
      h("span", { title: units }, h("span", { class: "lt-unseen" }, units), h("b", { "aria-hidden": "true" }, String(count))),
      more,
    );
    const wide = Math.min(room, 76);
    Object.assign(element.style, { left: `${left + SIZE / 2 - wide / 2}px`, width: `${wide}px` });
    return element;
  }

  private unit(place: Place, left: number, top: number): HTMLElement {
    const last = place.layer > (this.choices?.layers.length ?? 0);
    const element = h(
      "button",
      {
        type: "button",
        class: "lt-unit",
        "aria-haspopup": "dialog",
        "data-part": last ? "output" : `layer ${place.layer}`,
        "data-key": `unit ${place.layer} ${place.unit}`,
      },
      h("canvas", { "aria-hidden": "true" }),
      h("i", { class: "lt-bias", "aria-hidden": "true" }),
      h("b", { class: "lt-mark", "aria-hidden": "true" }),
    );
    Object.assign(element.style, { left: `${left}px`, top: `${top}px` });
    const look = () => {
      this.acts.look(place);
      this.emphasise(place);
    };
    const away = () => {
      this.acts.look(null);
      this.emphasise(null);
    };
    element.addEventListener("pointerenter", look);
    element.addEventListener("pointerleave", away);
    element.addEventListener("focus", look);
    element.addEventListener("blur", away);
    element.addEventListener("click", () => this.open(place, null, element));
    element.addEventListener("keydown", (event) => this.walk(event, place));
    return element;
  }

  /** Arrow keys go from unit to unit. */
  private walk(event: KeyboardEvent, { layer, unit }: Place): void {
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (across === undefined || down === undefined) return;
    event.preventDefault();
    const column = this.units[layer + across];
    column?.[Math.min(unit + down, column.length - 1)]?.focus();
  }

  private buildLinks(): void {
    const paths: SVGElement[] = [];
    const hits: SVGElement[] = [];
    this.units.slice(1).forEach((column, at) => {
      const before = this.units[at] ?? [];
      column.forEach((target, unit) => {
        before.forEach((origin, source) => {
          const [x0, y0] = [right(origin), middle(origin)];
          const [x1, y1] = [target.offsetLeft, middle(target)];
          const bend = (x1 - x0) * 0.45;
          const d = `M${x0},${y0}C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`;
          const data = { "data-layer": at + 1, "data-unit": unit, "data-source": source };
          paths.push(s("path", { d, class: "lt-link", ...data }));
          const hit = s("path", { d, class: "lt-hit", ...data });
          const place = { layer: at + 1, unit };
          hit.addEventListener("pointerenter", () => this.tell(place, source, (x0 + x1) / 2, (y0 + y1) / 2));
          hit.addEventListener("pointerleave", () => this.untell());
          hit.addEventListener("click", () => this.open(place, source, target));
          hits.push(hit);
        });
      });
    });
    this.links.replaceChildren(...paths, ...hits);
  }

  private fill(frame: PlayFrame): void {
    for (const path of this.links.querySelectorAll<SVGPathElement>(".lt-link")) {
      const [layer, unit, source] = [path.dataset.layer, path.dataset.unit, path.dataset.source].map(Number);
      const weight = frame.layers[(layer ?? 1) - 1]?.weights[unit ?? 0]?.[source ?? 0] ?? 0;
      path.classList.toggle("lt-odd", !finite(weight));
      if (!finite(weight)) continue;
      const strength = Math.min(1, Math.abs(weight) / STRONG);
      // Width tells the size; the colour is full early, so that the sign of a thin line can be seen.
      path.style.stroke = signed(weight, STRONG / 3);
      path.style.strokeWidth = String(0.8 + 4.7 * strength);
      path.style.strokeOpacity = String(0.4 + 0.6 * Math.sqrt(strength));
    }
    frame.layers.forEach((layer, at) => {
      this.units[at + 1]?.forEach((element, unit) => {
        const place = { layer: at + 1, unit };
        const canvas = element.querySelector("canvas");
        const map = this.map(place);
        const cells = map?.cells ?? decoded(frame.output);
        const numbers = canvas !== null && paintMap(canvas, cells);
        const dead = frame.units[at]?.dead[unit] ?? false;
        element.classList.toggle("lt-dead", dead);
        const mark = element.querySelector(".lt-mark");
        if (mark) mark.textContent = numbers ? (dead ? "0" : "") : "×";
        const bias = element.querySelector<HTMLElement>(".lt-bias");
        const value = layer.biases[unit] ?? 0;
        if (bias && finite(value)) bias.style.background = signed(value, STRONG);
        const name = this.name(place);
        set(element, {
          "aria-label": dead ? `${name}, ${this.word("play.dead")}` : name,
          title: dead ? this.word("play.dead") : null,
        });
      });
    });
  }

  /** Only what leads to and from a unit stays strong while it is looked at. */
  private emphasise(place: Place | null): void {
    this.links.classList.toggle("lt-some", place !== null);
    for (const path of this.links.querySelectorAll<SVGPathElement>(".lt-link")) {
      const [layer, unit, source] = [path.dataset.layer, path.dataset.unit, path.dataset.source].map(Number);
      const into = layer === place?.layer && unit === place?.unit;
      const from = layer === (place?.layer ?? -9) + 1 && source === place?.unit;
      path.classList.toggle("lt-lit", into || from);
    }
  }

  private tell(place: Place, source: number, x: number, y: number): void {
    const weight = this.weight(place, source);
    this.tip.hidden = false;
    this.tip.textContent = `${this.name({ layer: place.layer - 1, unit: source })} → ${this.name(place)}: ${spoken(weight)} · ${this.word("play.linkHelp")}`;
    const flip = x > this.element.clientWidth / 2;
    this.tip.style.transform = `translate(${x + (flip ? -8 : 8)}px, ${Math.max(0, y - 32)}px)${flip ? " translateX(-100%)" : ""}`;
    this.links.classList.add("lt-some");
    this.path(place, source)?.classList.add("lt-lit");
  }

  private untell(): void {
    this.tip.hidden = true;
    this.emphasise(null);
  }

  private path({ layer, unit }: Place, source: number): Element | null {
    return this.links.querySelector(
      `.lt-link[data-layer="${layer}"][data-unit="${unit}"][data-source="${source}"]`,
    );
  }

  private weight({ layer, unit }: Place, source: number | null): Num | null {
    const own = this.frame?.layers[layer - 1];
    return (source === null ? own?.biases[unit] : own?.weights[unit]?.[source]) ?? null;
  }

  /** A card with the unit's weights to edit, or with the one that was clicked. */
  private open(place: Place, source: number | null, anchor: HTMLElement): void {
    this.opened = { place, source, whole: source === null };
    this.returnTo = anchor;
    this.tip.hidden = true;
    const sources = source === null ? [null, ...(this.units[place.layer - 1] ?? []).keys()] : [source];
    const rows = sources.map((each) => this.editor(place, each));
    const close = button("", ICONS.close, () => this.close(), true);
    label(close, "", this.word("play.close"));
    set(this.card, { "aria-label": this.name(place) });
    this.card.replaceChildren(h("header", {}, h("strong", {}, this.name(place)), close), ...rows);
    this.card.hidden = false;
    const wide = 256;
    const left = anchor.offsetLeft > wide + 12 ? anchor.offsetLeft - wide - 10 : anchor.offsetLeft + SIZE + 10;
    const most = this.element.clientHeight - this.card.offsetHeight;
    Object.assign(this.card.style, {
      left: `${Math.max(0, Math.min(left, this.element.clientWidth - wide))}px`,
      top: `${Math.max(0, Math.min(anchor.offsetTop, most))}px`,
    });
    this.fillCard();
    this.card.querySelector<HTMLElement>("input")?.focus();
  }

  private editor(place: Place, source: number | null): HTMLElement {
    const target = this.name(place);
    const from = source === null ? "" : this.name({ layer: place.layer - 1, unit: source });
    const name =
      source === null
        ? this.word("play.biasOf", { target })
        : this.word("play.weightOf", { source: from, target });
    const slider = h("input", { type: "range", class: "lt-slider", min: -5, max: 5, step: 0.05, "aria-label": name });
    const box = h("input", { type: "number", class: "lt-box", step: "any", "aria-label": name });
    for (const input of [slider, box]) {
      input.dataset.source = String(source);
      input.addEventListener("change", () => send(input));
    }
    slider.addEventListener("input", () => send(slider));
    box.addEventListener("keydown", (event) => event.key === "Enter" && send(box));
    const send = (input: HTMLInputElement) => {
      const value = Number(input.value);
      if (input.value !== "" && Number.isFinite(value) && value !== this.weight(place, source))
        this.acts.write(place.layer - 1, place.unit, source, value);
    };
    const shown = source === null ? this.word("play.bias") : from;
    return h("div", { class: "lt-editor" }, h("span", {}, shown), slider, box);
  }

  private fillCard(): void {
    if (!this.opened) return;
    for (const input of this.card.querySelectorAll("input")) {
      if (input.matches(":focus") && (input.type === "number" || input.matches(":active"))) continue;
      const source = input.dataset.source === "null" ? null : Number(input.dataset.source);
      const weight = this.weight(this.opened.place, source);
      input.value = finite(weight) ? String(weight) : "";
    }
  }

  private close(back = true): void {
    if (this.card.hidden) return;
    this.card.hidden = true;
    this.opened = null;
    if (back) this.returnTo?.focus();
  }
}

const right = (element: HTMLElement) => element.offsetLeft + element.offsetWidth;
const middle = (element: HTMLElement) => element.offsetTop + element.offsetHeight / 2;

/** "x1²" with its 1 below the line. */
function written(name: string): (Node | string)[] {
  return name.split(/(\d)/).map((piece) => (/\d/.test(piece) ? h("sub", {}, piece) : piece));
}
