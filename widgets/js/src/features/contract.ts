// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type Axis = (number | null)[];

export interface Scene {
  columns: number;
  layers: LayerInfo[];
}

export interface LayerInfo {
  key: string;
  kind: "image" | "convolution" | "pooling" | "normalization" | "pointwise";
  op: string;
  name: string;
  type: string;
  shape: [number, number, number];
  line: boolean;
  formula: { latex: string; mathml: string } | null;
}

export interface LayerFrame {
  at: number;
  maps: DataView | null;
  size: [number, number, number];
  limits: Num[];
}

export interface MapFrame {
  channel: number;
  channels: number;
  size: [number, number];
  told: [number, number];
  values: DataView;
  exact: boolean;
  limit: number;
}

export interface Pixel {
  kind: "convolution" | "pooling" | "normalization" | "point";
  missing?: "weight" | "input";
  row: number;
  column: number;
  output: Num;
  total?: Num;
  rows?: Axis;
  columns?: Axis;
  // of a convolution
  inputs?: number[] | [string, Num][];
  first?: number;
  windows?: (Num | null)[][][];
  kernels?: Num[][][];
  sums?: Num[];
  bias?: Num | null;
  groups?: number;
  // of a pooling
  window?: (Num | null)[][];
  mode?: "max" | "mean";
  winner?: [number, number];
  sum?: Num;
  divisor?: number;
  // of a normalization
  input?: Num;
  centre?: Num;
  scale?: Num;
  weight?: Num;
}

export interface Opened {
  at: number;
  channel: number;
  missing: boolean;
  page: number;
  grid: { maps: DataView; size: [number, number, number] };
  map: MapFrame;
  row: number;
  column: number;
  input: MapFrame | null;
  pixel: Pixel | null;
  picture: (MapFrame & { box: [number, number, number, number] | null }) | null;
  kernels?: { maps: DataView; size: [number, number, number]; limit: Num } | null;
}

export interface Moments {
  name: string;
  shape: number[];
  min?: Num | null;
  mean?: Num | null;
  max?: Num | null;
  zeros?: number;
  odd?: number;
}

export interface FeatureFrame extends Frame {
  range: "map" | "layer" | "model";
  rows: number;
  note: "nothing" | "waiting" | "notKept" | "noConvolution" | "failed" | null;
  error: string | null;
  shown?: number;
  sample?: number;
  samples?: number;
  top?: number;
  most?: number;
  limit?: Num | null;
  layers: LayerFrame[];
  opened: Opened | null;
  table: Moments[] | null;
}
