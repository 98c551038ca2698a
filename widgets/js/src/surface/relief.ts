// The landscape raised: every cell at the height of its loss, drawn from the back to the front.
import { h, set } from "../shared/dom";
import { finite } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Chart, SurfaceFrame } from "./contract";
import { lossAt, type Place, placeOf } from "./land";

type Word = (key: Key) => string;

const RISE = 0.55; // height of the highest point, where the window is 1.5 wide and 1 deep
const TURN = 0.12; // radians a key press

export class Relief {
  readonly element = h("canvas", { class: "lt-sf-relief", tabindex: 0, role: "img", hidden: true });
  private yaw = -0.55;
  private pitch = 0.75;
  private last: [Chart | null, SurfaceFrame] | null = null;

  constructor(private readonly word: Word) {
    this.element.addEventListener("pointerdown", (event) => this.element.setPointerCapture(event.pointerId));
    this.element.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.turn(event.movementX * 0.008, event.movementY * 0.006);
    });
    this.element.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, TURN], ArrowDown: [0, -TURN] }[event.key];
      if (!by) return;
      this.turn(by[0] ?? 0, by[1] ?? 0);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  speak(): void {
    set(this.element, { "aria-label": this.word("surface.reliefOf") });
  }

  private turn(yaw: number, pitch: number): void {
    this.yaw += yaw;
    this.pitch = Math.min(1.45, Math.max(0.2, this.pitch + pitch));
    if (this.last) this.draw(...this.last);
  }

  draw(chart: Chart | null, frame: SurfaceFrame): void {
    this.last = [chart, frame];
    const canvas = this.element;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const context = canvas.getContext("2d");
    if (!chart || !width || !height || !context) return;
    const sharp = window.devicePixelRatio || 1;
    canvas.width = width * sharp;
    canvas.height = height * sharp;
    context.setTransform(sharp, 0, 0, sharp, 0, 0);

    const losses = chart.values.flat().filter(finite);
    const low = Math.min(...losses);
    const high = Math.max(...losses);
    // As on the map, height is the square root above the lowest point.
    const share = (loss: number) => Math.sqrt(Math.max(0, loss - low) / (high - low || 1));
    const [sin, cos] = [Math.sin(this.yaw), Math.cos(this.yaw)];
    const [dip, rise] = [Math.sin(this.pitch), Math.cos(this.pitch)];
    const unit = Math.min(width / 1.95, height / 1.6);
    // The middle of the window is the middle of the picture; x to the right, depth away from us.
    const project = (x: number, y: number, z: number): [number, number, number] => {
      const across = x * cos - y * sin;
      const away = x * sin + y * cos;
      return [width / 2 + unit * across, height * 0.56 - unit * (away * dip + (z * RISE - 0.2) * rise), away];
    };
    const rows = chart.values.length;
    const columns = chart.values[0]?.length ?? 0;
    const corner = (j: number, i: number, z: number) =>
      project((i / (columns - 1) - 0.5) * 1.5, j / (rows - 1) - 0.5, z);
    const cells: { away: number; share: number; points: [number, number, number][] }[] = [];
    for (let j = 0; j < rows - 1; j++)
      for (let i = 0; i < columns - 1; i++) {
        const around = [[j, i], [j, i + 1], [j + 1, i + 1], [j + 1, i]] as const;
        const values = around.map(([a, b]) => chart.values[a]?.[b]);
        if (!values.every(finite)) continue;
        const heights = values.map((value) => share(value as number));
        const points = around.map(([a, b], k) => corner(a, b, heights[k] ?? 0));
        cells.push({
          away: points.reduce((sum, [, , depth]) => sum + depth, 0),
          share: heights.reduce((sum, z) => sum + z, 0) / 4,
          points,
        });
      }
    cells.sort((a, b) => b.away - a.away);
    context.lineWidth = 0.6;
    context.lineJoin = "round";
    for (const cell of cells) {
      const band = Math.min(chart.bands.length - 1, Math.floor(cell.share * chart.bands.length));
      const colour = chart.bands[Math.max(0, band)]?.colour ?? "#888888";
      context.beginPath();
      for (const [x, y] of cell.points) context.lineTo(x, y);
      context.closePath();
      context.fillStyle = colour;
      context.fill();
      context.strokeStyle = "rgb(0 0 0 / 0.16)";
      context.stroke();
    }
    this.drawWalk(chart, frame, context, ({ u, v }, loss) => {
      const [u0, u1, v0, v1] = chart.window;
      return project(((u - u0) / (u1 - u0) - 0.5) * 1.5, (v - v0) / (v1 - v0) - 0.5, share(loss));
    });
  }

  /** The path lies on the land; it is drawn over all of it, so that a hill does not hide it. */
  private drawWalk(
    chart: Chart,
    frame: SurfaceFrame,
    context: CanvasRenderingContext2D,
    project: (place: Place, loss: number) => [number, number, number],
  ): void {
    const { ball } = frame;
    if (!ball) return;
    const places = frame.trail
      .filter((point) => point.step <= ball.step)
      .map(placeOf)
      .filter((place): place is Place => place !== null);
    const points = along(places).flatMap((place) => {
      const loss = lossAt(chart, place);
      return finite(loss) ? [project(place, loss)] : [];
    });
    const style = getComputedStyle(this.element);
    for (const [colour, wide] of [["#1f2328", 4], [style.getPropertyValue("--lt-negative"), 2.2]] as const) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.stroke();
    }
    const last = points.at(-1);
    const at = placeOf(ball);
    if (!last || !at || lossAt(chart, at) === null) return;
    for (const [colour, radius] of [["#1f2328", 8.5], ["#ffffff", 7.2], [style.getPropertyValue("--lt-negative"), 5.6]] as const) {
      context.beginPath();
      context.arc(last[0], last[1], radius, 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
    }
  }
}

/** The places and, while they are few, others between them, so that a long step lies on the land. */
function along(places: Place[]): Place[] {
  const between = places.length < 100 ? 12 : 1;
  return places.flatMap((place, at) => {
    const before = places[at - 1];
    if (!before) return [place];
    return Array.from({ length: between }, (_, k) => {
      const share = (k + 1) / between;
      return { u: before.u + share * (place.u - before.u), v: before.v + share * (place.v - before.v) };
    });
  });
}
