// The losses: two readings and two small lines.
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { h, s, set } from "../shared/dom";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { PlayFrame } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
const [WIDTH, HEIGHT, FOOT] = [288, 76, 14];

export function lossView(word: Word) {
  const paths = { test: s("path", { class: "lt-test" }), train: s("path", { class: "lt-train" }) };
  const floor = s("line", { x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT, class: "lt-floor" });
  const top = s("text", { x: WIDTH, y: 9, "text-anchor": "end" });
  const end = s("text", { x: WIDTH, y: HEIGHT - 2, "text-anchor": "end" });
  const moment = s("line", { class: "lt-moment", y1: 0, y2: HEIGHT - FOOT });
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "lt-loss-line" }, floor, paths.test, paths.train, moment, top, end);
  const readings = h("dl", { class: "lt-losses" });
  const element = h("div", {}, readings, svg);

  function draw(frame: PlayFrame): void {
    const sides = ["train", "test"] as const;
    readings.replaceChildren(
      ...sides.map((side) => {
        const right = frame.accuracies[side];
        return h(
          "div",
          {},
          h("dt", {}, h("i", { class: `lt-key-${side}`, "aria-hidden": "true" }), word(`play.${side}.loss`)),
          h("dd", { "data-role": `${side}-loss` }, spoken(frame.losses[side], 3)),
          h("dd", { class: "lt-quiet" }, right === null ? "" : word("play.right", { percent: Math.round(right * 100) })),
        );
      }),
    );
    const points = frame.history.map((each) => each.filter((p): p is [number, number] => finite(p[1])));
    const all = points.flat();
    const last = Math.max(1, ...all.map(([step]) => step));
    const high = Math.max(1e-9, ...all.map(([, loss]) => loss));
    const x = scaleLinear([0, last], [1, WIDTH - 1]);
    const y = scaleLinear([0, high], [HEIGHT - FOOT, 3]);
    const path = line<[number, number]>((p) => x(p[0]), (p) => y(p[1]));
    sides.forEach((side, at) => set(paths[side], { d: path(points[at] ?? []) ?? "" }));
    top.textContent = all.length > 1 ? spoken(high, 2) : "";
    end.textContent = all.length > 1 ? counted(last) : "";
    set(moment, { x1: x(frame.shown), x2: x(frame.shown), display: frame.time.live ? "none" : null });
    const reading = sides.map((side) => `${word(`play.${side}.loss`)} ${spoken(frame.losses[side])}`);
    set(svg, { "aria-label": `${word("play.lossLine")}: ${reading.join(", ")}` });
  }

  return { element, draw };
}
