// MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), as far as the protocol uses it: no extensions, text as keys.

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decode one value, which must be all there is. Throws if it is cut or of a type that the protocol does not use. */
export function decode(buffer) {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;

  const take = (size) => {
    position += size;
    if (position > bytes.length) throw new RangeError("cut");
    return position - size;
  };
  const text = (size) => {
    const start = take(size);
    return utf8.decode(bytes.subarray(start, start + size));
  };
  const array = (size) => {
    const items = [];
    for (let index = 0; index < size; index += 1) items.push(value());
    return items;
  };
  const map = (size) => {
    const fields = {};
    for (let index = 0; index < size; index += 1) {
      const key = value();
      if (typeof key !== "string") throw new TypeError("not a key");
      // Not by assignment: "__proto__" would not become a field.
      Object.defineProperty(fields, key, { value: value(), writable: true, enumerable: true, configurable: true });
    }
    return fields;
  };

  function value() {
    const type = view.getUint8(take(1));
    if (type < 0x80) return type;
    if (type < 0x90) return map(type & 0x0f);
    if (type < 0xa0) return array(type & 0x0f);
    if (type < 0xc0) return text(type & 0x1f);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return view.getFloat32(take(4));
      case 0xcb: return view.getFloat64(take(8));
      case 0xcc: return view.getUint8(take(1));
      case 0xcd: return view.getUint16(take(2));
      case 0xce: return view.getUint32(take(4));
      // Numbers as JSON has them: exact up to 2**53.
      case 0xcf: return Number(view.getBigUint64(take(8)));
      case 0xd0: return view.getInt8(take(1));
      case 0xd1: return view.getInt16(take(2));
      case 0xd2: return view.getInt32(take(4));
      case 0xd3: return Number(view.getBigInt64(take(8)));
      case 0xd9: return text(view.getUint8(take(1)));
      case 0xda: return text(view.getUint16(take(2)));
      case 0xdb: return text(view.getUint32(take(4)));
      case 0xdc: return array(view.getUint16(take(2)));
      case 0xdd: return array(view.getUint32(take(4)));
      case 0xde: return map(view.getUint16(take(2)));
      case 0xdf: return map(view.getUint32(take(4)));
      default: throw new TypeError(`type 0x${type.toString(16)}`);
    }
  }

  const decoded = value();
  if (position !== bytes.length) throw new RangeError(`${bytes.length - position} bytes too many`);
  return decoded;
}

/** Encode a value of JSON. */
export function encode(value) {
  const out = [];
  const number = (size, set, of) => {
    const view = new DataView(new ArrayBuffer(size));
    view[set](0, of);
    out.push(...new Uint8Array(view.buffer));
  };
  const head = (size, fix, limit, wider) => {
    if (size < limit) out.push(fix | size);
    else if (size < 2 ** 16) out.push(wider, size >> 8, size & 0xff);
    else {
      out.push(wider + 1);
      number(4, "setUint32", size);
    }
  };
  const put = (item) => {
    if (item === null || item === undefined) out.push(0xc0);
    else if (typeof item === "boolean") out.push(item ? 0xc3 : 0xc2);
    else if (typeof item === "number") putNumber(item);
    else if (typeof item === "string") {
      const bytes = new TextEncoder().encode(item);
      head(bytes.length, 0xa0, 32, 0xda);
      for (const byte of bytes) out.push(byte);
    } else if (Array.isArray(item)) {
      head(item.length, 0x90, 16, 0xdc);
      item.forEach(put);
    } else {
      const fields = Object.entries(item).filter(([, field]) => field !== undefined);
      head(fields.length, 0x80, 16, 0xde);
      for (const [key, field] of fields) {
        put(key);
        put(field);
      }
    }
  };
  const putNumber = (item) => {
    if (!Number.isSafeInteger(item)) {
      out.push(0xcb);
      number(8, "setFloat64", item);
    } else if (item >= 0 && item < 0x80) out.push(item);
    else if (item < 0 && item >= -32) out.push(0x100 + item);
    else {
      out.push(0xd3);
      number(8, "setBigInt64", BigInt(item));
    }
  };
  put(value);
  return Uint8Array.from(out);
}
