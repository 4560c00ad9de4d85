//! SHA-256 (FIPS 180-4) over bytes that come in pieces. The browser's own needs a secure context, which plain http on a network is not.

const K = new Uint32Array(64);
const START = new Uint32Array(8);
// The first 32 bits of the fractional parts of the cube and square roots of the first primes.
for (let at = 0, n = 2; at < 64; n += 1) {
  let prime = true;
  for (let by = 2; by * by <= n; by += 1) prime &&= n % by !== 0;
  if (!prime) continue;
  const bits = (root: number) => ((root - Math.floor(root)) * 0x1_0000_0000) | 0;
  if (at < 8) START[at] = bits(Math.sqrt(n));
  K[at] = bits(Math.cbrt(n));
  at += 1;
}

const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by));

export class Sha256 {
  private readonly state = START.slice();
  private readonly words = new Uint32Array(64);
  private readonly held = new Uint8Array(64);
  private holds = 0;
  private length = 0;

  update(bytes: Uint8Array): this {
    this.length += bytes.length;
    let from = 0;
    if (this.holds > 0) {
      from = Math.min(64 - this.holds, bytes.length);
      this.held.set(bytes.subarray(0, from), this.holds);
      this.holds += from;
      if (this.holds < 64) return this;
      this.block(this.held, 0);
    }
    for (; from + 64 <= bytes.length; from += 64) this.block(bytes, from);
    this.held.set(bytes.subarray(from));
    this.holds = bytes.length - from;
    return this;
  }

  /** In hexadecimal; nothing can be added afterwards. */
  end(): string {
    const { length } = this;
    const tail = new Uint8Array(this.holds < 56 ? 64 - this.holds : 128 - this.holds);
    tail[0] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(length / 0x2000_0000));
    view.setUint32(tail.length - 4, (length << 3) >>> 0);
    this.update(tail);
    return Array.from(this.state, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  private block(bytes: Uint8Array, from: number) {
    const { words: w, state } = this;
    for (let at = 0; at < 16; at += 1) {
      const i = from + at * 4;
      w[at] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!;
    }
    for (let at = 16; at < 64; at += 1) {
      const x = w[at - 15]!;
      const y = w[at - 2]!;
      w[at] = w[at - 16]! + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[at - 7]! + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let at = 0; at < 64; at += 1) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[at]! + w[at]!) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    const next = [a, b, c, d, e, f, g, h];
    for (let at = 0; at < 8; at += 1) state[at] = state[at]! + next[at]!;
  }
}
