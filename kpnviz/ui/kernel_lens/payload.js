// What Python sends: the layout is described in __init__.py.

// All 65536 half-precision numbers: not every browser has a Float16Array.
const HALF = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});

const ARRAY_TYPES = { float32: Float32Array, float16: Uint16Array, uint8: Uint8Array };

// The bytes that Python offers at an address: parcels.py.
async function fetchParcel(address, signal) {
  const answer = await fetch(new URL(address, document.baseURI), { signal });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} ${address}`), { status: answer.status });
  return new Uint8Array(await answer.arrayBuffer());
}

// A header, and the bytes after it.
function readHeader(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return [JSON.parse(text), bytes.subarray(4 + length)];
}

// The header with arrays in place of their numbers. float16 stays as its bits; HALF reads them.
function readArrays(header, bytes) {
  // What came in a message may start at an odd address, typed arrays may not.
  const { buffer, byteOffset } = bytes.byteOffset % 8 ? bytes.slice() : bytes;
  const arrays = header.arrays.map(({ dtype, shape, offset }) => ({
    values: new ARRAY_TYPES[dtype](buffer, byteOffset + offset, shape.reduce((a, b) => a * b, 1)),
    shape,
  }));
  if (header.scales) {
    // What one method makes of other assumed noise: pack_assumed.
    header.images = header.scales.map((_, i) => imageAt(arrays[header.images], i));
    header.factors = header.factors.map((number) => arrays[number]);
    return header;
  }
  header.frames = arrays[header.frames];
  if (header.clean !== null) {
    const { values, shape } = arrays[header.clean];
    header.clean = { values: Float32Array.from(values, (bits) => HALF[bits]), shape };
  }
  // A method that is still at work has a panel without a picture.
  for (const panel of header.panels) panel.image = panel.image === null ? null : arrays[panel.image].values;
  for (const method of header.methods)
    if (method.kernels) method.kernels.factors = arrays[method.kernels.factors];
  if (header.sizes) {
    header.sizes.local = arrays[header.sizes.local].values;
    if (header.sizes.index !== null) header.sizes.index = arrays[header.sizes.index].values;
  }
  if (header.moving) header.moving.object_at = arrays[header.moving.object_at].values;
  return header;
}

// Picture i of several.
const imageAt = ({ values, shape: [, H, W] }, i) => values.subarray(i * H * W, (i + 1) * H * W);
