// What the kernel sends to this view.
import type { Slab } from "../shared/array";
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export interface Tensor {
  name: string;
  shape: number[];
  strides: number[];
  offset: number;
  dtype: string;
  nbytes: number;
  device: string;
  contiguous: boolean;
  requires_grad: boolean;
  is_leaf: boolean;
  made_by: string;
  version: number;
  storage: number;
  slab: Slab;
}

export interface Memory {
  storage: number;
  size: number;
  dtype: string;
  nbytes: number;
  start: number;
  stop: number;
  cells: Num[];
  members: number[]; // positions in `tensors`
  places: ([number, number, number][] | null)[]; // cell, first element there, how many
}

export interface Broadcast {
  names: string[];
  shapes: { shape: number[]; sizes: (number | null)[]; stretched: boolean[] }[];
  result: (number | null)[];
  faults: number[];
  fits: boolean;
  remedy: { operand: number; dim: number; shape: number[] } | null;
}

export interface TensorsFrame extends Frame {
  tensors: Tensor[];
  memories: Memory[];
  broadcast: Broadcast | null;
}
