// Prices and fair odds since the console was opened, in memory, and what a history says of the hour before.

const MIN_INTERVAL_MS = 5000;
// An hour, if a price changes in every interval.
const MAX_POINTS = 720;
const MAX_POINTS_OF_ALL = 600_000;

/** One line of the chart: times (Unix milliseconds) and values, null where there is none. */
class Series {
  times = [];
  values = [];

  constructor({ intervalMs, maxPoints }) {
    this.intervalMs = intervalMs;
    this.maxPoints = maxPoints;
  }

  /** Add a value if it has changed. Return by how many points the series has grown. */
  add(value, nowMs) {
    const last = this.times.length - 1;
    if (last >= 0 && this.values[last] === value) return 0;
    if (last > 0 && nowMs - this.times[last] < this.intervalMs && value !== null && this.values[last] !== null) {
      this.values[last] = value;
      return 0;
    }
    this.times.push(nowMs);
    this.values.push(value);
    return this.times.length > this.maxPoints ? 1 + this.halve() : 1;
  }

  /** Forget the older half. Return by how many points the series has grown: a negative number. */
  halve() {
    const dropped = Math.floor(this.times.length / 2);
    this.times.splice(0, dropped);
    this.values.splice(0, dropped);
    return -dropped;
  }
}

export class PriceHistory {
  #points = 0;

  /** @param {{intervalMs?: number, maxPoints?: number}} limits of each series: how far apart its points are at least, and how many */
  constructor({ intervalMs = MIN_INTERVAL_MS, maxPoints = MAX_POINTS } = {}) {
    this.limits = { intervalMs, maxPoints };
    /** market id -> selection key -> {price, fair} */
    this.markets = new Map();
  }

  /** Note the published prices of a market. */
  note(market, nowMs) {
    for (const [key, selection] of Object.entries(market.selections)) this.#add(market.id, key, "price", selection.price ?? null, nowMs);
  }

  /** Note the fair odds of a selection; null if there are none. */
  noteFair(market, key, odds, nowMs) {
    this.#add(market, key, "fair", odds, nowMs);
  }

  /** Return the two series of a selection, undefined if nothing is known of it. */
  of(market, key) {
    return this.markets.get(market)?.get(key);
  }

  /** Since when something is known of a market; undefined if nothing is. */
  since(market) {
    const times = [...this.markets.get(market)?.values() ?? []].flatMap(({ price }) => price.times.slice(0, 1));
    return times.length ? Math.min(...times) : undefined;
  }

  /**
   * Add what came after what is known of a market.
   * @param {{key?: string, line?: string, value?: number|null, at: number}[]} points in order; one without a key ends all lines
   */
  append(market, points) {
    for (const { key, line, value, at } of points) {
      if (key !== undefined) this.#add(market, key, line, value, at);
      else for (const name of this.markets.get(market)?.keys() ?? []) for (const each of ["price", "fair"]) this.#add(market, name, each, null, at);
    }
  }

  /** Put what was before in front of what is known of a market; see `append`. */
  prepend(market, points) {
    const known = this.markets.get(market) ?? new Map();
    this.forget(market);
    this.append(market, points);
    for (const [key, lines] of known) {
      for (const [line, { times, values }] of Object.entries(lines)) times.forEach((at, index) => this.#add(market, key, line, values[index], at));
    }
  }

  forget(market) {
    for (const { price, fair } of this.markets.get(market)?.values() ?? []) this.#points -= price.times.length + fair.times.length;
    this.markets.delete(market);
  }

  #add(market, key, line, value, nowMs) {
    let selections = this.markets.get(market);
    if (!selections) this.markets.set(market, (selections = new Map()));
    let series = selections.get(key);
    if (!series) selections.set(key, (series = { price: new Series(this.limits), fair: new Series(this.limits) }));
    this.#points += series[line].add(value, nowMs);
    if (this.#points > MAX_POINTS_OF_ALL) this.#halveAll();
  }

  #halveAll() {
    for (const selections of this.markets.values()) {
      for (const { price, fair } of selections.values()) {
        for (const series of [price, fair]) if (series.times.length > 1) this.#points += series.halve();
      }
    }
    // With so many markets that one point of each is too much, the limit is theirs.
  }
}
