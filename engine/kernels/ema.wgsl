// ema.update: averaged = DECAY averaged + (1 - DECAY) p, as averaged + SHARE (p - averaged) with SHARE = 1 - DECAY
override SIZE: u32;
override GROUP: u32;
override SHARE: f32;

@group(0) @binding(0) var<storage, read> parameter: array<vec4f>;         // [SIZE]
@group(0) @binding(1) var<storage, read_write> averaged: array<vec4f>;    // [SIZE]

@compute @workgroup_size(GROUP)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.x + id.y * n.x * GROUP;
  if (i >= SIZE) { return; }
  let old = averaged[i];
  averaged[i] = old + SHARE * (parameter[i] - old);
}
