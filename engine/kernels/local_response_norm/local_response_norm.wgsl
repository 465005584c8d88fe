// local_response_norm: across channels, as PyTorch's LocalResponseNorm. Channel c's window is c - WINDOW / 2 to
// c + (WINDOW - 1) / 2, and SCALE = alpha / WINDOW:
//   s_c = K + SCALE * sum of x_j^2 over the window of c        y_c = x_c s_c^-BETA
// One invocation handles four channels of one pixel; sums are computed again in backward instead of being stored.
override SIZE: u32;
override C4: u32;
override WINDOW: i32;
override SCALE: f32;
override BETA: f32;
override K: f32;
override MASK: bool;

const LANES = vec4i(0, 1, 2, 3);

// Which of four channels, `offset` away from the value at hand, have it between `low` and `high` of themselves.
fn within(offset: i32, low: i32, high: i32) -> vec4f {
  let d = vec4i(offset) - LANES;
  return select(vec4f(), vec4f(1.0), (d >= vec4i(low)) & (d <= vec4i(high)));
}

// Adds to four channels those of four other ones, `offset` channels away, that lie between `low` and `high`.
fn add_within(values: vec4f, offset: i32, low: i32, high: i32) -> vec4f {
  return values.x * within(offset, low, high) + values.y * within(offset + 1, low, high) +
    values.z * within(offset + 2, low, high) + values.w * within(offset + 3, low, high);
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [PIXELS, C]

// s of four channels; `pixel` is the index of its first vector, `c` counts vectors.
fn base_of(pixel: u32, c: i32) -> vec4f {
  let low = WINDOW / 2;
  let high = (WINDOW - 1) / 2;
  var sum = vec4f();
  for (var q = max(c - (low + 3) / 4, 0); q <= min(c + (high + 3) / 4, i32(C4) - 1); q++) {
    let value = x[pixel + u32(q)];
    sum += add_within(value * value, (q - c) * 4, -low, high);
  }
  return K + SCALE * sum;
}

// s^-BETA. The usual 3/4 needs no logarithm, whose error drivers do not bound well.
fn power(s: vec4f) -> vec4f {
  if (BETA == 0.75) {
    let root = sqrt(s);
    return 1.0 / (root * sqrt(root));
  }
  return pow(s, vec4f(-BETA));
}

// forward
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [PIXELS, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4 * C4;
  y[i] = x[i] * power(base_of(pixel, i32(i - pixel)));
}

// backward: dx_i = dy_i s_i^-BETA - 2 SCALE BETA x_i * sum of dy_c x_c s_c^(-BETA-1) over the channels c whose window holds i,
// times (x > 0) where MASK
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;         // [PIXELS, C]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;   // [PIXELS, C]
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4 * C4;
  let c = i32(i - pixel);
  let low = (WINDOW - 1) / 2;
  let high = WINDOW / 2;
  var direct = vec4f();
  var sum = vec4f();
  for (var q = max(c - (low + 3) / 4, 0); q <= min(c + (high + 3) / 4, i32(C4) - 1); q++) {
    let at = pixel + u32(q);
    let s = base_of(pixel, q);
    let scaled = dy[at] * power(s);
    direct = select(direct, scaled, vec4<bool>(q == c));
    sum += add_within(scaled * x[at] / s, (q - c) * 4, -low, high);
  }
  var value = direct - 2.0 * SCALE * BETA * x[i] * sum;
  if (MASK) { value = select(vec4f(), value, x[i] > vec4f()); }
  dx[i] = value;
}
