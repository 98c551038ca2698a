// How the runs of a chart are told apart: by colour, dashes and the form of their marks.
import type { Run } from "./contract";

const DASHES = ["", "8 3", "3 3", "10 3 2 3", "5 2", "12 3 3 3 3 3"];

export interface Look {
  tone: string;
  dash: string;
  mark: (x: number, y: number) => string;
}

const MARKS: ((x: number, y: number) => string)[] = [
  (x, y) => `M${x - 3},${y}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0`,
  (x, y) => `M${x - 2.7},${y - 2.7}h5.4v5.4h-5.4z`,
  (x, y) => `M${x},${y - 3.6}l3.4,6h-6.8z`,
  (x, y) => `M${x},${y - 3.8}l3.6,3.8l-3.6,3.8l-3.6,-3.8z`,
];

export function lookOf(run: Run, at: number): Look {
  const mark = MARKS[at % MARKS.length] ?? MARKS[0];
  if (run.ghost) return { tone: "var(--lt-ghost)", dash: "2 2.5", mark: mark as Look["mark"] };
  return {
    tone: `var(--lt-run-${at % DASHES.length})`,
    dash: DASHES[at % DASHES.length] ?? "",
    mark: mark as Look["mark"],
  };
}
