// rmsprop: torch.optim.RMSprop, not centred. With g = grad * grad_scale + DECAY p:
//   s = ALPHA s + (1 - ALPHA) g^2;  d = g / (sqrt(s) + EPS);  step: p -= lr d;  step_momentum: v = MOMENTUM v + d, p -= lr v
override SIZE: u32;
override ALPHA: f32;
// 1 - ALPHA, rounded once.
override SHARE: f32;
override EPS: f32;
override DECAY: f32;
override MOMENTUM: f32;

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;   // [SIZE]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;          // [SIZE]
@group(0) @binding(2) var<storage, read> params: StepParams;
@group(0) @binding(3) var<storage, read_write> square: array<vec4f>;      // [SIZE], s
@group(0) @binding(4) var<storage, read_write> velocity: array<vec4f>;    // [SIZE], v

fn direction(i: u32, p: vec4f, scale: f32) -> vec4f {
  let g = gradient[i] * scale + DECAY * p;
  let s = ALPHA * square[i] + SHARE * g * g;
  square[i] = s;
  return g / (sqrt(s) + EPS);
}

@compute @workgroup_size(GROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (rests()) { return; }
  let p = parameter[i];
  parameter[i] = p - own_lr() * direction(i, p, params.grad_scale);
}

@compute @workgroup_size(GROUP)
fn step_momentum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (rests()) { return; }
  let p = parameter[i];
  let v = MOMENTUM * velocity[i] + direction(i, p, params.grad_scale);
  velocity[i] = v;
  parameter[i] = p - own_lr() * v;
}
