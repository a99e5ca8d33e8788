// Commands, feeds and trouble, as the channels of the console bring them (docs/protocol.md). Independent of the DOM.

const FIELDS = { "console:commands": "commands", "console:feeds": "feeds", "console:trouble": "trouble" };
export const CHANNELS = Object.keys(FIELDS);

export class Floor {
  #parts = new Map();

  constructor() {
    /** id -> command */
    this.commands = new Map();
    /** name -> feed */
    this.feeds = new Map();
    /** id -> what needs somebody */
    this.trouble = new Map();
    /** grows with each change, by field */
    this.versions = { commands: 0, feeds: 0, trouble: 0 };
    this.loaded = new Set();
    this.#derive();
  }

  /** Apply a message. Return whether it was one of the console's channels. */
  receive(message) {
    const field = FIELDS[message.channel];
    if (!field) return false;
    if (message.op === "snapshot") this.#replace(message, field);
    else if (message.op === "delta") this.#change(message, field);
    return true;
  }

  /** Note what an answer says of a command, which the stream will confirm. */
  note(command) {
    const known = this.commands.get(command.id);
    // The stream may have brought what came after it already.
    if (known && progress(known) >= progress(command)) return;
    const state = command.lifted_by ? "lifted" : command.state === "applied" || command.state === "pending" ? "active" : command.state;
    this.#change({ commands: [{ ...command, state }] }, "commands");
  }

  #replace(message, field) {
    if (message.part === 1) this.#parts.set(field, []);
    this.#parts.get(field)?.push(...message[field]);
    if (!message.last || !this.#parts.has(field)) return;
    this[field] = new Map(this.#parts.get(field).map((item) => [keyOf(field, item), item]));
    this.#parts.delete(field);
    this.loaded.add(field);
    this.#derive();
    this.versions[field] += 1;
  }

  #change(message, field) {
    for (const item of message[field] ?? []) this[field].set(keyOf(field, item), item);
    for (const key of message.removed ?? []) this[field].delete(key);
    this.#derive();
    this.versions[field] += 1;
  }

  #derive() {
    /** newest first */
    this.all = [...this.commands.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    this.active = this.all.filter((command) => command.state === "active");
    this.proposed = this.all.filter((command) => command.state === "proposed");
    this.pairs = [...this.trouble.values()].filter((item) => item.kind === "pair");
    this.alarms = [...this.trouble.values()].filter((item) => item.kind !== "pair");
  }
}

/** How far a command has got: made, confirmed, lifted. */
const progress = (command) => (command.confirmed_by ? 1 : 0) + (command.lifted_by ? 2 : 0);

const keyOf = (field, item) => (field === "feeds" ? item.feed : item.id);
