// ema.update: averaged += share (p - averaged), share = max(SHARE, 1 - (1 + step) / (10 + step)), SHARE = 1 - decay
// The second term is the warm-up of TensorFlow's ExponentialMovingAverage: early averages follow quickly.
override SIZE: u32;
override GROUP: u32;
override SHARE: f32;

@group(0) @binding(0) var<storage, read> parameter: array<vec4f>;         // [SIZE]
@group(0) @binding(1) var<storage, read_write> averaged: array<vec4f>;    // [SIZE]
@group(0) @binding(2) var<storage, read> hyper: array<vec4f>;             // (., ., step, stop)

@compute @workgroup_size(GROUP)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.x + id.y * n.x * GROUP;
  if (i >= SIZE) { return; }
  let h = hyper[0];
  if (h.w != 0.0) { return; }
  let share = max(SHARE, 9.0 / (10.0 + h.z));
  let old = averaged[i];
  averaged[i] = old + share * (parameter[i] - old);
}
