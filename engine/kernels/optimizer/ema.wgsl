// ema.update: averaged += share (p - averaged), share = max(SHARE, 1 - (1 + step) / (10 + step)), SHARE = 1 - decay
// The second term is the warm-up of TensorFlow's ExponentialMovingAverage: early averages follow quickly.
override SIZE: u32;
override SHARE: f32;

@group(0) @binding(0) var<storage, read> parameter: array<vec4f>;         // [SIZE]
@group(0) @binding(1) var<storage, read_write> averaged: array<vec4f>;    // [SIZE]
@group(0) @binding(2) var<storage, read> params: StepParams;

@compute @workgroup_size(GROUP)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (params.stop != 0.0) { return; }
  let share = max(SHARE, 9.0 / (10.0 + params.step));
  let old = averaged[i];
  averaged[i] = old + share * (parameter[i] - old);
}
