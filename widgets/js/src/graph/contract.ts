// What the kernel sends to this view.
import type { Frame, Span } from "../shared/host";
import type { Num } from "../shared/numbers";
import type { Slab } from "../shared/array";
import type { Summary } from "../shared/tensor";

export type Kind = "op" | "scope" | "parameter" | "input" | "buffer" | "constant";

interface Box {
  key: string;
  title: string;
  type: string;
  parent: string | null;
  operations: number;
  parameters: number;
  times: number; // of a repeat
  x: number;
  y: number;
  width: number;
  height: number;
}

/** x and y are its centre. */
export interface Item extends Box {
  kind: Kind;
  node: number | null;
  shape: number[];
  requiresGrad: boolean;
  change?: { added: number; removed: number } | null; // since the step that is compared with
}

/** An open module; x and y are its upper left corner. */
export type Group = Box;

export interface Edge {
  key: string;
  source: string;
  target: string;
  text: string;
  arguments: string[];
  path: string;
  x: number;
  y: number;
  change?: "added" | "removed" | "" | null;
}

export interface Scene {
  items: Item[];
  groups: Group[];
  edges: Edge[];
  width: number;
  height: number;
  depth: number;
  deepest: number;
  structure: string;
  repeats: number;
  unrolled: boolean;
}

export type Measure = "time" | "memory" | "flops" | "norm" | "std" | "gradient";

export interface Overlay {
  by: Measure;
  low: number | null;
  high: number | null;
  total: number | null;
  amounts: Record<string, Num | null>;
  shares: Record<string, number | null>;
}

export interface Found {
  text: string;
  total: number;
  matches: { key: string; title: string; where: string }[];
}

export interface Comparison {
  with: number;
  step: number;
  added: number;
  removed: number;
  changes: {
    change: "added" | "removed";
    key: string;
    name: string;
    kind: Kind;
    where: string;
    shape: number[];
  }[];
}

export interface Moments {
  mean: Num | null;
  std: Num | null;
  min: Num | null;
  max: Num | null;
  norm: Num | null;
  nan: number;
  inf: number;
  single: boolean;
}

export interface Glance {
  value: Moments | null;
  grad: Moments | null;
}

export interface Failure {
  key: string | null;
  op: string;
  kind: "error" | "nonfinite";
  message: string;
}

export interface Pane {
  value: Summary | null;
  grad: Summary | null;
  forwardSeconds: number | null;
  backwardSeconds: number | null;
  arrays: Record<string, Slab | null>; // "value", "grad", and the gradient sent to an argument
  picks: Record<string, number[]>;
  lines: Record<string, Line>;
  sent: string[]; // arguments whose gradient is known element by element
  whole: boolean;
  check: Check | null;
}

/** An equation with its numbers put in, cut where it may be broken. */
export interface Line {
  latex: string;
  pieces: string[];
  terms: number;
  index: number[];
}

export interface Check {
  step: number;
  inputs: Checked[] | null; // null: the arrays are not there yet
  over?: boolean;
}

export interface Checked {
  input: string;
  verdict: "ok" | "wrong" | "kink" | "unknown";
  error: Num | null;
  directions: number;
  kinks: number;
  index: number[] | null;
  recorded: Num | null;
  difference: Num | null;
  reason: "" | "cut" | "random" | "complex" | "other";
}

/** One stop of the backward pass. */
export interface Backward {
  at: number;
  count: number;
  reached: string[];
  item?: string;
  kind?: "op" | "leaf" | "scope";
  name?: string;
  norm?: Num | null;
  operations?: number;
  leaves?: number;
  edges?: { key: string; norm: Num | null; now: boolean }[];
  sent?: { argument: string; to: string; mathml: string; latex: string; norm: Num | null }[];
  fans?: Fan[];
}

/** Contributions of the consumers of one tensor, adding up. */
export interface Fan {
  name: string;
  key: string;
  parts: { from: string; arrived: boolean; now: boolean; norm: Num | null; slab: Slab | null }[];
  arrived: number;
  count: number;
  sum: Slab | null;
  norm: Num | null;
}

/** Bytes kept for backward: over the whole step, and now. */
export interface Meter {
  total: number;
  lasting: number;
  now: number;
  curve: number[];
  top: number;
  at: number;
}

export interface Kept {
  edges: Record<string, number>;
  items: Record<string, Record<string, number>>;
}

export interface TableRow extends Glance {
  key: string;
  name: string;
  kind: Kind;
  module: string;
  shape: number[];
  requiresGrad: boolean;
}

export interface GraphFrame extends Frame {
  time: Span & { shown?: number };
  measured?: boolean;
  glances: Record<string, Glance>;
  current?: string | null;
  failure: Failure | null;
  nonfinite: { first: string; keys: string[] } | null;
  overlay: Overlay | null;
  changes: number[]; // steps at which the graph changed
  pane: Pane | null;
  backward?: Backward | null;
  memory?: Meter | null;
  kept?: Kept | null;
  rows: TableRow[] | null;
}

interface Formula {
  latex: string;
  mathml: string;
}

export interface Detail {
  key: string;
  name: string;
  kind: Kind;
  function: string | null;
  modules: { name: string; type: string }[];
  shape: number[];
  dtype: string;
  device: string;
  requiresGrad: boolean;
  inputs: { argument: string; from: string; shape: number[] }[];
  arguments: { name: string; value: string }[];
  formula: Formula | null;
  vjps: { input: string; formula: Formula | null }[];
  saved: { name: string; shape: number[]; dtype: string; nbytes: number }[];
  source: {
    file: string;
    line: number;
    end_line: number;
    column: number;
    end_column: number;
    text: string;
    function: string;
  } | null;
}
