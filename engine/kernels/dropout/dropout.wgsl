// dropout: y = x / (1 - rate) where the element is kept, else 0 (SCALE = 1 / (1 - rate)). Element number e of the shape,
// padding not counted, is kept where hash(seed, STREAM, e, step) / 2^32 >= rate; nothing is stored, backward asks again.
override SIZE: u32;
override C: u32;
override C4: u32;
override STREAM: u32;
// Of 2^24: rate * 2^24, rounded up.
override THRESHOLD: u32;
override SCALE: f32;
override MASK: bool;

// The same numbers as engine/random.ts gives on the host.
fn mix32(n: u32) -> u32 {
  var x = n;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}

// Which of four elements in a row, the first of number `index`, are kept.
fn kept(seed: u32, step: u32, index: u32) -> vec4<bool> {
  let key = mix32(mix32(mix32(seed + 0x9e3779b9u) + STREAM) + step);
  let h = vec4u(
    mix32(mix32(index ^ key) + key),
    mix32(mix32((index + 1u) ^ key) + key),
    mix32(mix32((index + 2u) ^ key) + key),
    mix32(mix32((index + 3u) ^ key) + key),
  );
  return (h >> vec4u(8u)) >= vec4u(THRESHOLD);
}

// forward
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [ROWS, C]
@group(0) @binding(1) var<storage, read> random: array<vec4u>;     // (seed, step, 0, 0)
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;    // [ROWS, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let keep = kept(random[0].x, random[0].y, i / C4 * C + i % C4 * 4u);
  y[i] = select(vec4f(), x[i] * SCALE, keep);
}

// backward: dx = dy / (1 - rate) where kept, else 0, times (x > 0) where MASK
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;         // [ROWS, C]
@group(0) @binding(1) var<storage, read> random_in: array<vec4u>;  // (seed, step, 0, 0)
@group(0) @binding(2) var<storage, read> x_in: array<vec4f>;       // [ROWS, C]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;   // [ROWS, C]
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  var pass_on = kept(random_in[0].x, random_in[0].y, i / C4 * C + i % C4 * 4u);
  if (MASK) { pass_on &= x_in[i] > vec4f(); }
  dx[i] = select(vec4f(), dy[i] * SCALE, pass_on);
}
