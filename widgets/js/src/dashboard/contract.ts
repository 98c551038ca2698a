// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type ViewName = "graph" | "gradients" | "doctor" | "features" | "states" | "timeline";

export interface DashboardFrame extends Frame {
  title: string;
  step: number | null;
  loss: Num | null;
  rate: Num | null;
  views: { name: ViewName; open: boolean }[];
}
