// Who stands next to whom: for highlighting, and for walking the graph by arrow key.
import type { Scene } from "./contract";

interface Place {
  key: string;
  x: number;
  y: number;
}

export class Walk {
  private readonly after = new Map<string, string[]>();
  private readonly before = new Map<string, string[]>();
  private readonly places = new Map<string, Place>();
  readonly order: string[];

  constructor(scene: Scene) {
    for (const { source, target } of scene.edges) {
      this.after.set(source, [...(this.after.get(source) ?? []), target]);
      this.before.set(target, [...(this.before.get(target) ?? []), source]);
    }
    for (const { key, x, y } of scene.items) this.places.set(key, { key, x, y });
    for (const { key, x, y, width } of scene.groups)
      this.places.set(key, { key, x: x + width / 2, y: y + 10 });
    this.order = [...this.places.values()]
      .sort((a, b) => a.y - b.y || a.x - b.x)
      .map(({ key }) => key);
  }

  neighbours(key: string): Set<string> {
    return new Set([...(this.after.get(key) ?? []), ...(this.before.get(key) ?? [])]);
  }

  /** Everything `key` was computed from and everything computed from it. */
  path(key: string): Set<string> {
    return new Set([...reach(key, this.before), ...reach(key, this.after)]);
  }

  /** Where an arrow key leads: up and down along the edges, sideways to what stands beside. */
  step(key: string, arrow: string): string | undefined {
    const here = this.places.get(key);
    if (!here) return this.order[0];
    if (arrow === "ArrowDown") return this.closest(here, this.after.get(key)) ?? this.below(here, 1);
    if (arrow === "ArrowUp") return this.closest(here, this.before.get(key)) ?? this.below(here, -1);
    const side = arrow === "ArrowRight" ? 1 : -1;
    const beside = [...this.places.values()].filter((place) => (place.x - here.x) * side > 8);
    return best(beside, (place) => Math.abs(place.x - here.x) + 4 * Math.abs(place.y - here.y));
  }

  private closest(here: Place, keys: string[] = []): string | undefined {
    const places = keys.flatMap((key) => this.places.get(key) ?? []);
    return best(places, (place) => Math.abs(place.x - here.x));
  }

  private below(here: Place, side: number): string | undefined {
    const places = [...this.places.values()].filter((place) => (place.y - here.y) * side > 8);
    return best(places, (place) => Math.abs(place.y - here.y) + Math.abs(place.x - here.x));
  }
}

function reach(start: string, next: Map<string, string[]>): Set<string> {
  const seen = new Set([start]);
  for (const key of seen) for (const other of next.get(key) ?? []) seen.add(other);
  return seen;
}

function best(places: Place[], cost: (place: Place) => number): string | undefined {
  return places.reduce<Place | undefined>(
    (found, place) => (!found || cost(place) < cost(found) ? place : found),
    undefined,
  )?.key;
}
