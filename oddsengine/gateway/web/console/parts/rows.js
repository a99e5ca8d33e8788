// Where the rows of a list are. They are equally high, but where text wraps each is as high as it needs, which is known once it is drawn.

// Of so many rows that are gone the heights are kept, as they may come back.
const SPARE = 1000;

export class Rows {
  #heights = new Map();
  #tops = [0];
  #keys = [];

  /** @param {number} rowHeight of each row; where text wraps, the least, and what is assumed until a row was drawn */
  constructor(rowHeight) {
    this.rowHeight = rowHeight;
    /** whether text wraps */
    this.wraps = false;
  }

  get totalHeight() {
    return this.#tops.at(-1);
  }

  /** Set the keys of all rows, in their order. */
  setKeys(keys) {
    this.#keys = keys;
    if (this.#heights.size > 2 * keys.length + SPARE) this.#heights.clear();
    this.#place();
  }

  /** Set whether text wraps, and forget how high rows were. */
  setWraps(wraps) {
    this.wraps = wraps;
    this.#heights.clear();
    this.#place();
  }

  /** Note how high rows are. Return whether any of them was another height before. */
  note(measured) {
    let hasChanged = false;
    for (const [key, height] of measured) {
      if ((this.#heights.get(key) ?? this.rowHeight) === height) continue;
      this.#heights.set(key, height);
      hasChanged = true;
    }
    if (hasChanged) this.#place();
    return hasChanged;
  }

  topOf(index) {
    return this.#tops[index];
  }

  heightOf(index) {
    return this.#tops[index + 1] - this.#tops[index];
  }

  /** The index of the row at a height, the last one below all. */
  at(y) {
    let [low, high] = [0, Math.max(0, this.#keys.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #place() {
    let top = 0;
    this.#tops = [0, ...this.#keys.map((key) => (top += this.#heights.get(key) ?? this.rowHeight))];
  }
}
