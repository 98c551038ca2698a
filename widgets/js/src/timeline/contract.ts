// What the kernel sends to this view.
import type { Frame, Span } from "../shared/host";

export type Phase = "forward" | "backward" | "rest";
export type Group = "op" | "module" | "line" | "call";

/** kind, node or scope (-1: none), row, phase, start and seconds. */
export type Bar = ["phase" | "scope" | "op" | "gap", number, number, Phase, number, number];

export interface Source {
  file: string;
  line: number;
  text: string;
}

export interface OpNode {
  name: string;
  module: string;
  function: string | null;
  shape: number[];
  flops: number | null;
  nbytes: number;
  source: Source | null;
}

export interface Structure {
  key?: string;
  depth: number;
  gpu: boolean;
  scopes: { name: string; type: string; path: string }[];
  nodes: Record<string, OpNode>;
}

type Quartiles = [number, number, number]; // the median first

export interface Row {
  label: string;
  calls: number;
  forward: number;
  backward: number;
  total: number;
  share: number | null;
  flops: number | null;
  usual: Quartiles | null;
}

export interface Memory {
  stairs: [number, number][];
  peak: { seconds: number; bytes: number; node: number };
  blocks: { node: number; name: string; bytes: number }[];
}

export interface TimelineFrame extends Frame {
  time: Span & { shown: number | null };
  measured: boolean;
  duration: number;
  measuring: number | null;
  unmeasured: number | null;
  bars: Bar[];
  memory: Memory | null;
  steps: number;
  usual: { forward: Quartiles | null; backward: Quartiles | null } | null;
  opened: number | null;
  by: Group | null;
  table: Row[] | null;
}
