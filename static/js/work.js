// Proof of work: a number with which the challenge's SHA-256 begins with so many zero bits. Computed in small pieces
// while the form is being written; a form that is sent earlier is taken all the same.
(function () {
  "use strict";
  const PIECE = 1500; // hashes between two looks at what the reader does
  const K = new Uint32Array(64);
  const START = new Uint32Array(8);

  // The constants of FIPS 180-4: fractional parts of the roots of the first primes.
  (function () {
    let found = 0;
    for (let n = 2; found < 64; n += 1) {
      let prime = true;
      for (let d = 2; d * d <= n; d += 1) if (n % d === 0) prime = false;
      if (!prime) continue;
      if (found < 8) START[found] = (Math.sqrt(n) % 1) * 4294967296;
      K[found] = (Math.cbrt(n) % 1) * 4294967296;
      found += 1;
    }
  })();

  const w = new Uint32Array(64);

  function block(h, bytes, offset) {
    for (let i = 0; i < 16; i += 1) {
      const at = offset + 4 * i;
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
  }

  // The first 32 bits are enough: no challenge asks for more zeros.
  function first(text) {
    const size = ((text.length + 9 + 63) >> 6) << 6;
    const bytes = new Uint8Array(size);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    bytes[text.length] = 0x80;
    const bits = text.length * 8;
    bytes[size - 2] = bits >> 8;
    bytes[size - 1] = bits & 255;
    const h = Uint32Array.from(START);
    for (let offset = 0; offset < size; offset += 64) block(h, bytes, offset);
    return h[0];
  }

  function begin(field) {
    const challenge = field.dataset.work;
    const bits = Number(challenge.split(".")[2]);
    let number = 0;
    (function piece() {
      for (const end = number + PIECE; number < end; number += 1) {
        const answer = challenge + ":" + number.toString(36);
        if (first(answer) >>> (32 - bits) === 0) {
          field.value = answer;
          return;
        }
      }
      window.setTimeout(piece, 0);
    })();
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("input[data-work]").forEach(function (field) {
      let begun = false;
      field.form.addEventListener("focusin", function () {
        if (!begun) begin(field);
        begun = true;
      });
    });
  });
})();
