// A small matrix of numbers in colour: to be read where it is large, to be seen where it is small.
import { signed } from "./colour";
import { h } from "./dom";
import { type Num, finite, spoken } from "./numbers";

export interface Look {
  size: number; // pixels of a cell, across
  limit: number;
  read: boolean; // are the numbers written?
  label: string;
  padded?: (row: number, column: number) => boolean;
  won?: [number, number];
}

export function cells(matrix: (Num | null)[][], look: Look): HTMLElement {
  const columns = matrix[0]?.length ?? 0;
  const grid = h("span", { class: "lt-cells", role: "img", "aria-label": look.label });
  grid.style.gridTemplateColumns = `repeat(${columns}, ${look.size}px)`;
  grid.style.gridAutoRows = `${look.read ? Math.min(look.size, 26) : look.size}px`;
  matrix.forEach((line, row) =>
    line.forEach((value, column) => {
      const text = look.read ? spoken(value, 2) : finite(value) ? "" : value === null ? "" : "×";
      const padded = look.padded?.(row, column) ?? false;
      const cell = h("span", { title: spoken(value, 6) }, padded ? h("b", {}, text) : text);
      if (padded) cell.classList.add("lt-pad");
      else if (finite(value))
        cell.style.background = signed(value, look.limit, look.read ? 0.45 : 1);
      else if (value !== null) cell.classList.add("lt-odd");
      if (look.won && look.won[0] === row && look.won[1] === column) cell.classList.add("lt-won");
      grid.append(cell);
    }),
  );
  return grid;
}

export function largestOf(matrices: (Num | null)[][][]): number {
  return Math.max(0, ...matrices.flat(2).filter(finite).map(Math.abs));
}
