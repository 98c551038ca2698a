// The whole graph in a corner, where it is larger than what is in sight.
import { h, s, set } from "../shared/dom";
import type { Key } from "../shared/words";
import type { Scene } from "./contract";

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const WIDTH = 150;
const HEIGHT = 110;
const STEP = 0.2; // of what is in sight, that an arrow key moves

export class MiniMap {
  readonly element: HTMLElement;
  private readonly svg = s("svg", { "aria-hidden": "true" });
  private readonly frames = s("path", { class: "lt-map-frames" });
  private readonly boxes = s("path", { class: "lt-map-boxes" });
  private readonly sight = s("rect", { class: "lt-map-sight", rx: 1 });
  private scene: Scene | null = null;
  private seen: Box = { x: 0, y: 0, width: 0, height: 0 };

  constructor(
    private readonly word: (key: Key) => string,
    private readonly go: (x: number, y: number) => void,
  ) {
    this.svg.append(this.frames, this.boxes, this.sight);
    this.element = h("div", { class: "lt-map", role: "group", tabindex: 0, hidden: true }, this.svg);
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      this.point(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) this.point(event);
    });
    this.element.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way) return;
      const { x, y, width, height } = this.seen;
      const [across = 0, down = 0] = way;
      this.go(x + width * (0.5 + across * STEP), y + height * (0.5 + down * STEP));
      event.preventDefault();
      event.stopPropagation();
    });
  }

  draw(scene: Scene): void {
    this.scene = scene;
    const scale = Math.min(WIDTH / scene.width, HEIGHT / scene.height);
    set(this.svg, {
      viewBox: `0 0 ${scene.width} ${scene.height}`,
      width: Math.max(12, scene.width * scale),
      height: Math.max(12, scene.height * scale),
    });
    const rectangle = ({ x, y, width, height }: Box) => `M${x},${y}h${width}v${height}h${-width}z`;
    set(this.frames, { d: scene.groups.map(rectangle).join("") });
    const corner = (box: Box) => ({ ...box, x: box.x - box.width / 2, y: box.y - box.height / 2 });
    set(this.boxes, { d: scene.items.map((item) => rectangle(corner(item))).join("") });
    set(this.sight, { "stroke-width": 1.6 / scale });
    set(this.element, { "aria-label": this.word("graph.mapHelp"), title: this.word("graph.mapHelp") });
  }

  /** `box` is what is in sight, in the scene's own measures. */
  view(box: Box): void {
    const { scene } = this;
    if (!scene || !box.width) return;
    this.seen = box;
    const whole = box.width >= scene.width * 0.98 && box.height >= scene.height * 0.98;
    this.element.hidden = whole;
    const x = Math.max(0, Math.min(box.x, scene.width));
    const y = Math.max(0, Math.min(box.y, scene.height));
    set(this.sight, {
      x,
      y,
      width: Math.max(0, Math.min(box.x + box.width, scene.width) - x),
      height: Math.max(0, Math.min(box.y + box.height, scene.height) - y),
    });
  }

  private point({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    if (!this.scene || !width) return;
    this.go(
      ((clientX - left) / width) * this.scene.width,
      ((clientY - top) / height) * this.scene.height,
    );
  }
}
