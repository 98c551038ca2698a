// The graph in SVG: boxes, frames and edges at the places that the kernel laid them out.
import { interpolateString } from "d3-interpolate";
import { type BaseType, type Selection, select } from "d3-selection";
import "d3-transition";
import { type ZoomBehavior, zoom, zoomIdentity, zoomTransform } from "d3-zoom";
import { symlog } from "../shared/colour";
import { h, s, set } from "../shared/dom";
import { duration } from "../shared/host";
import { counted, finite, shapeText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Edge, Glance, GraphFrame, Group, Item, Moments, Scene } from "./contract";
import { MiniMap } from "./minimap";
import { shade } from "./overlay";
import { Walk } from "./walk";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export interface Acts {
  toggle(key: string): void;
  alike(key: string): void;
  find(): void;
  open(key: string): void;
  close(): void;
}

const BAR = { height: 5, inset: 12, below: 9 };
const SMALLEST = 0.1;
const LEGIBLE = 0.55; // below this scale the numbers cannot be read
const LARGEST = 2.5;
const CALM = 150; // boxes beyond which a change is shown at once, without motion
const BATCH = 24; // boxes drawn in one go: the page has to answer in between

export class Drawing {
  readonly element: HTMLElement;
  private readonly svg: SVGSVGElement;
  private readonly canvas: Selection<SVGGElement, unknown, null, undefined>;
  private readonly zoom: ZoomBehavior<SVGSVGElement, unknown>;
  private scene: Scene | null = null;
  private walk: Walk | null = null;
  private focused: string | null = null;
  private hovered: string | null = null;
  private pinned: string | null = null; // whose path stays lit
  private awaited: string | null = null; // to be shown as soon as it is there
  private matching = new Set<string>();
  private current: string | null = null; // the match that is shown
  private drawing = 0;
  private readonly map: MiniMap;
  private anchor: string | null = null; // the module opened or closed last
  private pointer: [number, number] = [-1, -1];
  private moved = false; // has the learner zoomed or panned?

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.svg = s(
      "svg",
      { class: "lt-graph", role: "group" },
      s(
        "defs",
        {},
        s(
          "marker",
          {
            id: "lt-arrow",
            viewBox: "0 0 8 8",
            refX: 7.2,
            refY: 4,
            markerWidth: 6.5,
            markerHeight: 6.5,
            orient: "auto",
          },
          s("path", { d: "M0.5,0.8 7.5,4 0.5,7.2z", fill: "context-stroke" }),
        ),
      ),
      s(
        "g",
        { class: "lt-canvas" },
        // Frames are see-through: edges lie below them, so that no edge crosses out a name.
        s("g", { class: "lt-edges" }),
        s("g", { class: "lt-groups" }),
        s("g", { class: "lt-labels" }),
        s("g", { class: "lt-items" }),
      ),
    );
    this.canvas = select(this.svg).select<SVGGElement>(".lt-canvas");
    this.map = new MiniMap(word, (x, y) => this.centre(x, y, 0));
    this.element = h("div", { class: "lt-stage" }, this.svg, this.map.element);
    this.zoom = zoom<SVGSVGElement, unknown>()
      .scaleExtent([SMALLEST, LARGEST])
      // The wheel alone belongs to the page that the view stands in.
      .filter((event: MouseEvent) =>
        event.type === "wheel" ? event.ctrlKey || event.metaKey : !event.button,
      )
      .on("zoom", (event: { transform: { toString(): string }; sourceEvent: Event | null }) => {
        this.canvas.attr("transform", event.transform.toString());
        this.follow();
        if (event.sourceEvent) this.moved = true;
      });
    select(this.svg).call(this.zoom).on("dblclick.zoom", null);
    this.svg.addEventListener("keydown", this.onKey);
    for (const type of ["mousemove", "click"] as const)
      this.svg.addEventListener(type, ({ clientX, clientY }) => {
        this.pointer = [clientX, clientY];
      });
    this.svg.addEventListener("focusin", (event) => {
      const key = keyOf(event.target);
      if (key) this.focus(key, false);
      // The pointer lights what it is over; what it clicked need not stay lit.
      if (event.target instanceof Element && !event.target.matches(":focus-visible"))
        this.highlight(this.hovered);
    });
    this.svg.addEventListener("focusout", () => this.highlight(this.hovered));
  }

  zoomBy(factor: number): void {
    this.moved = true;
    select(this.svg).transition().duration(duration()).call(this.zoom.scaleBy, factor);
  }

  /** Shows the whole graph, hardly larger than it was designed. */
  fit(time = duration()): void {
    const { scene } = this;
    const { width, height } = this.svg.getBoundingClientRect();
    if (!scene || !width) return;
    this.moved = false;
    const scale = Math.max(SMALLEST, Math.min(1.2, width / scene.width, height / scene.height));
    const x = (width - scene.width * scale) / 2;
    const y = Math.max(0, (height - scene.height * scale) / 2);
    const target = zoomIdentity.translate(x, y).scale(scale);
    if (time) select(this.svg).transition().duration(time).call(this.zoom.transform, target);
    else select(this.svg).call(this.zoom.transform, target);
  }

  /** Shows the whole where it stays legible; else the box in question, with what follows it. */
  private settle(time: number): void {
    const { scene } = this;
    const { width, height } = this.svg.getBoundingClientRect();
    if (!scene || !width) return;
    if (Math.min(width / scene.width, height / scene.height) >= LEGIBLE) {
      this.fit(time);
      return;
    }
    const box =
      scene.items.find((item) => item.key === this.anchor) ??
      scene.groups.find((group) => group.key === this.anchor) ??
      scene.items[0];
    if (!box) return;
    const x = "kind" in box ? box.x : box.x + box.width / 2;
    const y = "kind" in box ? box.y - box.height : box.y;
    const scale = Math.max(LEGIBLE, Math.min(0.8, width / scene.width));
    const target = zoomIdentity
      .translate(width / 2 - x * scale, Math.min(0, 24 - y * scale))
      .scale(scale);
    if (time) select(this.svg).transition().duration(time).call(this.zoom.transform, target);
    else select(this.svg).call(this.zoom.transform, target);
  }

  /** Keeps the whole in sight while the room changes, unless the learner chose otherwise. */
  resized(): void {
    if (!this.moved) this.settle(0);
  }

  draw(scene: Scene): void {
    const before = this.scene;
    this.scene = scene;
    this.walk = new Walk(scene);
    const time = before && scene.items.length < CALM ? duration() : 0;
    const place = moves(before, scene);
    const hadFocus = this.svg.contains(document.activeElement);
    set(this.svg, { "aria-label": this.word("graph.title") });
    this.drawGroups(scene, time);
    const keys = this.walk.order;
    if (!this.focused || !keys.includes(this.focused)) this.focused = keys[0] ?? null;
    cancelAnimationFrame(this.drawing);
    for (const part of this.parts(scene)) {
      // The first part at once, the others in frames of their own: see `parts`.
      if (part.first) this.drawPart(part, time, place);
      else this.later.push(() => this.drawPart(part, 0, place));
    }
    this.drawing = requestAnimationFrame(this.goOn);
    if (hadFocus && this.focused) this.focus(this.focused, true);
    this.map.draw(scene);
    if (!this.moved || this.lost(scene)) this.settle(time);
    this.follow();
    if (this.awaited) this.show(this.awaited);
  }

  private later: (() => void)[] = [];

  private readonly goOn = (): void => {
    this.later.shift()?.();
    if (this.later.length) this.drawing = requestAnimationFrame(this.goOn);
  };

  /** A large scene is drawn bit by bit: what was there first, then BATCH new boxes at a time. */
  private parts(scene: Scene): Part[] {
    this.later = [];
    const known = new Set(this.items().data().map(({ key }) => key));
    const there = scene.items.filter(({ key }) => known.has(key));
    const fresh = scene.items.filter(({ key }) => !known.has(key));
    const parts: Part[] = [];
    for (let end = BATCH; parts.length === 0 || end < fresh.length + BATCH; end += BATCH) {
      const items = [...there, ...fresh.slice(0, end)];
      const seen = new Set(items.map(({ key }) => key));
      const edges = scene.edges.filter(({ source, target }) => seen.has(source) && seen.has(target));
      parts.push({ items, edges, first: parts.length === 0 });
    }
    return parts;
  }

  private drawPart({ items, edges, first }: Part, time: number, place: Moves): void {
    this.drawEdges(edges, time);
    const fresh = this.drawItems(items, time, place, first);
    if (first) {
      this.roam();
      return;
    }
    if (this.frame) this.fillSome(fresh, this.frame);
    fresh.classed("lt-opened", (item) => item.key === this.opened);
    this.emphasise();
  }

  private frame: GraphFrame | null = null;
  private opened: string | null = null;

  /** Puts the numbers of a step into the boxes. */
  fill(frame: GraphFrame): void {
    this.frame = frame;
    this.fillSome(this.items(), frame);
    const culprit = frame.failure?.kind === "error" ? frame.failure.key : null;
    this.edges().classed("lt-culprit", (edge) => edge.target === culprit);
  }

  private fillSome(items: Items, frame: GraphFrame): void {
    const bad = new Set(frame.nonfinite?.keys);
    items.each((item, i, nodes) => {
      const node = nodes[i];
      if (!node) return;
      fillItem(node, item, frame.glances[item.key], frame, this.word);
      node.classList.toggle("lt-nonfinite", bad.has(item.key));
      node.classList.toggle("lt-first", frame.nonfinite?.first === item.key);
      shade(node, item, frame.overlay, this.word);
    });
  }

  /** Marks what a search found; `current` is the match that is shown. */
  match(keys: Iterable<string>, current: string | null): void {
    this.matching = new Set(keys);
    this.current = current;
    this.emphasise();
  }

  private emphasise(): void {
    this.items()
      .classed("lt-match", (item) => this.matching.has(item.key))
      .classed("lt-sought", (item) => item.key === this.current)
      .classed("lt-pinned", (item) => item.key === this.pinned);
    this.canvas
      .selectAll<SVGGElement, Group>(".lt-group-box")
      .classed("lt-sought", (group) => group.key === this.current);
  }

  /** Brings a box or frame to the middle, as soon as it is drawn. */
  show(key: string): void {
    const box = this.scene?.items.find((item) => item.key === key);
    const frame = this.scene?.groups.find((group) => group.key === key);
    this.awaited = box || frame ? null : key;
    if (!box && !frame) return;
    this.focused = key;
    this.current = key;
    this.roam();
    this.emphasise();
    if (box) this.centre(box.x, box.y, duration());
    else if (frame) this.centre(frame.x + frame.width / 2, frame.y + Math.min(frame.height / 2, 80), duration());
  }

  /** Brings a box to the middle if not all of the graph is in sight. */
  lookAt(key: string | null): void {
    if (key && !this.map.element.hidden) this.show(key);
  }

  /** Keeps the path of the box with the keyboard lit, or lets it go. */
  pin(): boolean {
    this.pinned = this.pinned ? null : (this.hovered ?? this.focused);
    this.emphasise();
    this.highlight(this.pinned);
    return this.pinned !== null;
  }

  get isPinned(): boolean {
    return this.pinned !== null;
  }

  private centre(x: number, y: number, time: number): void {
    const { width, height } = this.svg.getBoundingClientRect();
    const { k } = zoomTransform(this.svg);
    const scale = Math.max(k, LEGIBLE);
    const target = zoomIdentity.translate(width / 2 - x * scale, height / 2 - y * scale).scale(scale);
    this.moved = true;
    if (time) select(this.svg).transition().duration(time).call(this.zoom.transform, target);
    else select(this.svg).call(this.zoom.transform, target);
  }

  /** Is nothing of the scene in sight? The learner may have been elsewhere in a larger one. */
  private lost(scene: Scene): boolean {
    const { width, height } = this.svg.getBoundingClientRect();
    const { k, x, y } = zoomTransform(this.svg);
    return !scene.items.some(
      (item) =>
        Math.abs(item.x * k + x - width / 2) < (width + item.width * k) / 2 &&
        Math.abs(item.y * k + y - height / 2) < (height + item.height * k) / 2,
    );
  }

  /** Tells the overview which part is in sight. */
  private follow(): void {
    const { width, height } = this.svg.getBoundingClientRect();
    const { k, x, y } = zoomTransform(this.svg);
    this.map.view({ x: -x / k, y: -y / k, width: width / k, height: height / k });
  }

  mark(opened: string | null): void {
    this.opened = opened;
    this.items().classed("lt-opened", (item) => item.key === opened);
  }

  /** Gives the keyboard to a box, or to the first one. */
  focus(key: string | null, grab = true): void {
    this.focused = key ?? this.walk?.order[0] ?? null;
    this.roam();
    this.highlight(this.focused);
    if (grab) this.elementOf(this.focused)?.focus({ preventScroll: true });
    if (grab) this.reveal();
  }

  // Drawing

  private items() {
    return this.canvas.select(".lt-items").selectAll<SVGGElement, Item>("g.lt-item:not(.lt-leaving)");
  }

  private edges() {
    return this.canvas.selectAll<SVGElement, Edge>(
      ":is(.lt-edge, .lt-shape-label):not(.lt-leaving)",
    );
  }

  /** Draws the boxes; those that were there already are looked at again only in the `first` part. */
  private drawItems(items: Item[], time: number, place: Moves, first: boolean): Items {
    const entering = this.canvas
      .select(".lt-items")
      .selectAll<SVGGElement, Item>("g.lt-item:not(.lt-leaving)")
      .data(items, (item) => item.key);
    entering
      .exit<Item>()
      .classed("lt-leaving", true)
      .attr("tabindex", null)
      .attr("role", null)
      .attr("aria-hidden", "true")
      .transition()
      .duration(time)
      .attr("transform", (item) => at(place.to(item)))
      .style("opacity", 0)
      .remove();
    const entered = entering
      .enter()
      .append((item) => this.newItem(item))
      .attr("transform", (item) => at(place.from(item)))
      .style("opacity", time ? 0 : 1);
    const all = first ? entered.merge(entering) : entered;
    all.each((item, i, nodes) => {
      const node = nodes[i];
      if (node) shapeItem(node, item, this.word);
    });
    if (time) all.transition().duration(time).attr("transform", at).style("opacity", 1);
    else all.attr("transform", at);
    return all;
  }

  private newItem(item: Item): SVGGElement {
    const element = s(
      "g",
      { class: `lt-item lt-kind-${item.kind}`, "data-key": item.key, role: "button", tabindex: -1 },
      item.kind === "scope" && s("rect", { class: "lt-behind" }),
      s("rect", { class: "lt-shape" }),
      item.kind === "input" && s("path", { class: "lt-notch" }),
      s("text", { class: "lt-title" }),
      s("text", { class: "lt-subtitle" }),
      s("text", { class: "lt-badge" }),
      s("rect", { class: "lt-track" }),
      s("rect", { class: "lt-below" }),
      s("rect", { class: "lt-above" }),
      s("path", { class: "lt-zero" }),
    );
    element.addEventListener("click", (event) => {
      this.focus(item.key);
      if (event.shiftKey && item.kind === "scope") this.alike(item.key);
      else this.enter(item.key);
    });
    element.addEventListener("mousemove", ({ clientX, clientY }) => {
      // Only a pointer that moves points: a box that moved under it was not pointed at.
      const [x, y] = this.pointer;
      if (this.hovered === item.key || (x === clientX && y === clientY)) return;
      this.highlight((this.hovered = item.key));
    });
    element.addEventListener("mouseleave", () => {
      if (this.hovered === item.key) this.highlight((this.hovered = null));
    });
    return element;
  }

  private drawGroups(scene: Scene, time: number): void {
    const joined = this.canvas
      .select(".lt-groups")
      .selectAll<SVGGElement, Group>("g.lt-group-box:not(.lt-leaving)")
      .data(scene.groups, (group) => group.key);
    joined
      .exit()
      .classed("lt-leaving", true)
      .transition()
      .duration(time)
      .style("opacity", 0)
      .remove();
    const entered = joined.enter().append((group) => this.newGroup(group));
    entered.style("opacity", time ? 0 : 1);
    const all = entered.merge(joined).order();
    all.each((group, i, nodes) => {
      const box = nodes[i]?.querySelector(".lt-header");
      if (!box) return;
      const times = box.querySelector(".lt-times");
      if (times) times.textContent = group.times ? `× ${group.times}` : "";
      set(box, { "aria-label": nameOf(group, this.word, this.ops(group.operations)) });
    });
    const moving = time ? all.transition().duration(time).style("opacity", 1) : all;
    // d3's selections and transitions share these methods, though not a type.
    const chain = moving as typeof all;
    chain.attr("transform", (group) => `translate(${group.x},${group.y})`);
    (chain.select(".lt-frame") as Selection<SVGRectElement, Group, SVGGElement, unknown>)
      .attr("width", (group) => group.width)
      .attr("height", (group) => group.height);
  }

  private newGroup(group: Group): SVGGElement {
    const label = s(
      "text",
      { x: 25, y: 16 },
      s("tspan", { class: "lt-title" }, group.title),
      group.type && s("tspan", { class: "lt-type", dx: 6 }, group.type),
      s("tspan", { class: "lt-times", dx: 6 }),
    );
    const header = s(
      "g",
      { class: "lt-header", "data-key": group.key, role: "button", tabindex: -1 },
      s("rect", {
        class: "lt-handle",
        x: 4,
        y: 3,
        width: Math.max(40, Math.min(group.width - 8, 34 + 7.8 * (group.title.length + group.type.length))),
        height: 19,
        rx: 5,
      }),
      s("path", { class: "lt-sign", d: "M11 12.5h8" }),
      label,
    );
    set(header, { "aria-expanded": "true" });
    header.addEventListener("click", (event) => {
      this.focus(group.key);
      if (event.shiftKey) this.alike(group.key);
      else this.toggle(group.key);
    });
    return s("g", { class: "lt-group-box" }, s("rect", { class: "lt-frame", rx: 10 }), header);
  }

  private drawEdges(edges: Edge[], time: number): void {
    const lines = this.join(".lt-edges", edges, time, () =>
      s("path", { class: "lt-edge", "marker-end": "url(#lt-arrow)" }),
    );
    lines.entered.attr("d", (edge) => edge.path);
    const labels = this.join(".lt-labels", edges, time, () => s("text", { class: "lt-shape-label" }));
    labels.entered.attr("x", (edge) => edge.x).attr("y", (edge) => edge.y);
    labels.all.text((edge) => edge.text);
    this.edges()
      .classed("lt-added", (edge) => edge.change === "added")
      .classed("lt-removed", (edge) => edge.change === "removed");
    if (!time) {
      lines.all.attr("d", (edge) => edge.path);
      labels.all.attr("x", (edge) => edge.x).attr("y", (edge) => edge.y);
      return;
    }
    lines.all
      .transition()
      .duration(time)
      .style("opacity", 1)
      .attrTween("d", function (edge) {
        const from = this.getAttribute("d") ?? edge.path;
        // Curves of as many points as before move; others can only be replaced.
        return from.split(",").length === edge.path.split(",").length
          ? interpolateString(from, edge.path)
          : () => edge.path;
      });
    labels.all
      .transition()
      .duration(time)
      .style("opacity", 1)
      .attr("x", (edge) => edge.x)
      .attr("y", (edge) => edge.y);
  }

  /** One element per edge in `layer`; what goes fades out, what comes fades in. */
  private join<E extends SVGElement>(layer: string, edges: Edge[], time: number, make: () => E) {
    const joined = this.canvas
      .select(layer)
      .selectAll<E, Edge>(":scope > :not(.lt-leaving)")
      .data(edges, (edge) => edge.key);
    joined
      .exit()
      .classed("lt-leaving", true)
      .transition()
      .duration(time / 2)
      .style("opacity", 0)
      .remove();
    const entered = joined.enter().append(make).style("opacity", time ? 0 : 1);
    return { entered, all: entered.merge(joined) };
  }

  private ops(count: number): string {
    return count === 1 ? this.word("graph.oneOp") : this.word("graph.ops", { count: counted(count) });
  }

  // Looking around

  private highlight(wanted: string | null): void {
    const { walk } = this;
    const key = wanted ?? this.pinned;
    const path = key && walk ? walk.path(key) : null;
    const near = key && walk ? walk.neighbours(key) : null;
    // A frame that has the keyboard is no box on a path: nothing fades then.
    const active = path !== null && path.size > 1;
    this.svg.classList.toggle("lt-lit", active);
    this.items()
      .classed("lt-here", (item) => item.key === key)
      .classed("lt-near", (item) => near?.has(item.key) ?? false)
      .classed("lt-far", (item) => active && !path.has(item.key));
    this.edges()
      .classed("lt-near", (edge) => edge.source === key || edge.target === key)
      .classed("lt-far", (edge) => active && !(path.has(edge.source) && path.has(edge.target)));
  }

  /** One stop for the tab key; arrows do the rest. */
  private roam(): void {
    for (const element of this.staying())
      element.setAttribute("tabindex", element.dataset.key === this.focused ? "0" : "-1");
  }

  private elementOf(key: string | null): SVGGElement | null {
    return this.staying().find((element) => element.dataset.key === key) ?? null;
  }

  /** What can have the keyboard: not what is on its way out. */
  private staying(): SVGGElement[] {
    return [...this.svg.querySelectorAll<SVGGElement>("[data-key]")].filter(
      (element) => !element.closest(".lt-leaving"),
    );
  }

  /** Pans so that the box with the keyboard is in sight. */
  private reveal(): void {
    const box = this.elementOf(this.focused)?.getBoundingClientRect();
    const stage = this.svg.getBoundingClientRect();
    if (!box || !stage.width) return;
    const pad = 16;
    const over = (low: number, high: number, min: number, max: number) =>
      low < min + pad ? min + pad - low : high > max - pad ? max - pad - high : 0;
    const dx = over(box.left, box.right, stage.left, stage.right);
    const dy = over(box.top, box.bottom, stage.top, stage.bottom);
    if (!dx && !dy) return;
    const { k } = zoomTransform(this.svg);
    select(this.svg).call(this.zoom.translateBy, dx / k, dy / k);
  }

  private toggle(key: string): void {
    this.anchor = key;
    this.acts.toggle(key);
  }

  private alike(key: string): void {
    this.anchor = key;
    this.acts.alike(key);
  }

  private enter(key: string): void {
    const item = this.scene?.items.find((candidate) => candidate.key === key);
    if (!item || item.kind === "scope") this.toggle(key);
    else this.acts.open(key);
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const key = keyOf(event.target);
    if (!key || !this.walk || !this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = this.scene.items.find((candidate) => candidate.key === key);
    const group = this.scene.groups.find((candidate) => candidate.key === key);
    if (event.key.startsWith("Arrow")) {
      const next = this.walk.step(key, event.key);
      if (next) this.focus(next);
    } else if (event.key === "Home") this.focus(this.walk.order[0] ?? null);
    else if (event.key === "End") this.focus(this.walk.order.at(-1) ?? null);
    else if (event.key === "Enter" && event.shiftKey && item?.kind !== "op") this.alike(key);
    else if (event.key === "Enter" || event.key === " ") this.enter(key);
    else if (event.key === "p" || event.key === "P") this.pin();
    else if (event.key === "/") this.acts.find();
    else if (event.key === "+" || event.key === "=") {
      if (item?.kind === "scope") this.toggle(key);
    } else if (event.key === "-" || event.key === "_") {
      const close = group?.key ?? item?.parent;
      if (close) {
        this.focused = close;
        this.toggle(close);
      }
    } else if (event.key === "Escape") this.acts.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

type Items = Selection<SVGGElement, Item, BaseType, unknown>;

interface Part {
  items: Item[];
  edges: Edge[];
  first: boolean;
}

interface Moves {
  from(item: Item): { x: number; y: number };
  to(item: Item): { x: number; y: number };
}

/** A box that enters comes out of the closed module it was in; one that leaves goes into its. */
function moves(before: Scene | null, after: Scene): Moves {
  const places = (scene: Scene | null) => {
    const found = new Map<string, { x: number; y: number }>();
    const parents = new Map<string, string | null>();
    for (const item of scene?.items ?? []) found.set(item.key, item);
    for (const group of scene?.groups ?? []) parents.set(group.key, group.parent);
    return { found, parents };
  };
  const [old, now] = [places(before), places(after)];
  const climb = (
    item: Item,
    parents: Map<string, string | null>,
    found: Map<string, { x: number; y: number }>,
  ) => {
    let key = item.parent;
    while (key) {
      const place = found.get(key);
      if (place) return place;
      key = parents.get(key) ?? null;
    }
    return item;
  };
  return {
    from: (item) => climb(item, now.parents, old.found),
    to: (item) => climb(item, old.parents, now.found),
  };
}

function shapeItem(element: SVGGElement, item: Item, word: Word): void {
  const { width, height } = item;
  const rounding = { op: 6, scope: 8, input: 3, constant: 4 }[item.kind as string] ?? height / 2;
  const box = { x: -width / 2, y: -height / 2, width, height, rx: rounding };
  for (const rect of element.querySelectorAll(".lt-shape")) set(rect, box);
  for (const rect of element.querySelectorAll(".lt-behind"))
    set(rect, { ...box, x: box.x + 4, y: box.y + 4 });
  const notch = element.querySelector(".lt-notch");
  if (notch) set(notch, { d: `M${box.x + 5},${box.y + 4}v${height - 8}` });
  const title = element.querySelector(".lt-title");
  if (title) {
    set(title, { y: -height / 2 + (item.kind === "constant" ? 15 : 17) });
    title.replaceChildren(item.title);
    if (item.type) title.append(s("tspan", { class: "lt-type", dx: 6 }, item.type));
    if (item.times) title.append(s("tspan", { class: "lt-times", dx: 6 }, `× ${item.times}`));
  }
  const { change } = item;
  const gone = change && !change.added && item.kind !== "scope";
  element.classList.toggle("lt-changed", Boolean(change));
  element.classList.toggle("lt-added", Boolean(change?.added && !change.removed));
  element.classList.toggle("lt-removed", Boolean(gone || (change?.removed && !change.added)));
  const badge = element.querySelector(".lt-badge");
  if (badge) {
    set(badge, { x: -width / 2 + 4, y: -height / 2 - 4 });
    badge.textContent = changeText(item);
  }
  const subtitle = element.querySelector(".lt-subtitle");
  if (subtitle) set(subtitle, { y: -height / 2 + (item.kind === "constant" ? 28 : 32) });
  const count =
    item.operations === 1 ? word("graph.oneOp") : word("graph.ops", { count: item.operations });
  const name =
    item.kind === "scope"
      ? nameOf(item, word, count)
      : `${item.title}, ${word(`graph.kind.${item.kind}`)}, ${shapeText(item.shape)}`;
  const marks = (["added", "removed"] as const)
    .filter((mark) => change?.[mark])
    .map((mark) => word(`graph.${mark}`, { count: change?.[mark] ?? 0 }));
  set(element, {
    "aria-label": [name, ...marks].join(", "),
    "aria-expanded": item.kind === "scope" ? "false" : null,
  });
}

/** What a screen reader says of a module or a repeat. */
function nameOf(box: Group, word: Word, count: string): string {
  const times = box.times ? word("graph.times", { count: box.times }) : "";
  return [box.title, box.type, times, word("graph.kind.scope"), count].filter(Boolean).join(", ");
}

/** "+" and "−" for a node that came or went; for a module, how many of its nodes did. */
function changeText({ change, kind }: Item): string {
  if (!change) return "";
  const one = kind !== "scope";
  return [
    change.added ? `+${one ? "" : change.added}` : "",
    change.removed ? `−${one ? "" : change.removed}` : "",
  ].join(" ").trim();
}

function fillItem(
  element: SVGGElement,
  item: Item,
  glance: Glance | undefined,
  frame: GraphFrame,
  word: Word,
): void {
  const failed = frame.failure?.key === item.key;
  element.classList.toggle("lt-failed", failed);
  element.classList.toggle("lt-current", frame.current === item.key);
  const subtitle = element.querySelector(".lt-subtitle");
  if (subtitle)
    subtitle.textContent = failed
      ? `⚠ ${frame.failure?.kind === "error" ? word("graph.failed.error") : valueText(glance?.value)}`
      : item.kind === "scope"
        ? scopeText(item, word)
        : valueText(glance?.value);
  const range = gradientRange(glance?.grad);
  const half = item.width / 2 - BAR.inset;
  const y = item.height / 2 - BAR.below;
  const wanted = item.requiresGrad || range !== null;
  const bar = (name: string) => element.querySelector<SVGElement>(`.${name}`);
  const track = bar("lt-track");
  if (track) {
    set(track, { x: -half, y, width: 2 * half, height: BAR.height, rx: 2.5 });
    track.classList.toggle("lt-waiting", range === null);
    track.style.display = wanted ? "" : "none";
  }
  const low = symlog(Math.min(range?.[0] ?? 0, 0)) * half;
  const high = symlog(Math.max(range?.[1] ?? 0, 0)) * half;
  const below = bar("lt-below");
  const above = bar("lt-above");
  const zero = bar("lt-zero");
  if (below) set(below, { x: low, y, width: -low, height: BAR.height });
  if (above) set(above, { x: 0, y, width: high, height: BAR.height });
  if (zero) {
    set(zero, { d: `M0,${y - 1.5}v${BAR.height + 3}` });
    zero.style.display = range ? "" : "none";
  }
}

function scopeText(item: Item, word: Word): string {
  const ops =
    item.operations === 1
      ? word("graph.oneOp")
      : word("graph.ops", { count: counted(item.operations) });
  const parameters = item.parameters
    ? word("graph.parameters", { count: counted(item.parameters) })
    : word("graph.noParameters");
  return `${ops} · ${parameters}`;
}

/** One number as itself, many as mean ± standard deviation. */
export function valueText(value: Moments | null | undefined): string {
  if (!value) return "–";
  if (value.nan || value.inf)
    return [value.nan && `${value.nan} NaN`, value.inf && `${value.inf} ∞`].filter(Boolean).join(", ");
  return value.single ? spoken(value.mean, 4) : `${spoken(value.mean)} ± ${spoken(value.std)}`;
}

function gradientRange(grad: Moments | null | undefined): [number, number] | null {
  return grad && finite(grad.min) && finite(grad.max) ? [grad.min, grad.max] : null;
}

function at({ x, y }: { x: number; y: number }): string {
  return `translate(${x},${y})`;
}

function keyOf(target: EventTarget | null): string | null {
  const element = target instanceof Element ? target.closest<SVGGElement>("[data-key]") : null;
  return element?.dataset.key ?? null;
}
