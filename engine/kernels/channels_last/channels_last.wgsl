// channels_last.main: planes -> pixels, the order that every other kernel works in.
//   y[n,p,c] = x[n,c,p], and 0 in the padding channels
override PIXELS: u32;
override C: u32;
override GROUP: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>;            // [N, C, PIXELS], no padding
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, PIXELS, C]

fn load(n: u32, c: u32, p: u32) -> f32 {
  if (c >= C) { return 0.0; }
  return x[(n * C + c) * PIXELS + p];
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let p = id.x;
  if (p >= PIXELS) { return; }
  let n = id.z;
  let c = id.y * 4u;
  let value = vec4f(load(n, c, p), load(n, c + 1u, p), load(n, c + 2u, p), load(n, c + 3u, p));
  y[(n * PIXELS + p) * ((C + 3u) / 4u) + id.y] = value;
}
