// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type State = "running" | "paused" | "done" | "stopped" | "error";

export interface TrainingFrame extends Frame {
  state: State;
  count: number;
  loss: Num | null;
  losses: [number, Num][];
  lossShown: Num | null;
  speed: number | null;
  left: number | null;
  rate: number | null;
  refused: string | null;
  fault: {
    type: string;
    message: string;
    line: number | null;
    text: string;
    where: string;
    function: string;
  } | null;
  nonfinite: { step: number; op: string; message: string } | null;
}
