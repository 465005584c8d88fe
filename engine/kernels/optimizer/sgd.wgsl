// sgd.step: g = grad * grad_scale + DECAY * p;  v = MOMENTUM * v + g;  p -= lr * (NESTEROV ? g + MOMENTUM * v : v)
// PyTorch's torch.optim.SGD (dampening 0). v starts at 0, which equals PyTorch's first step v = g.
override SIZE: u32;
override MOMENTUM: f32;
override DECAY: f32;
override NESTEROV: bool;

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;   // [SIZE]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;          // [SIZE]
@group(0) @binding(2) var<storage, read_write> velocity: array<vec4f>;    // [SIZE]
@group(0) @binding(3) var<storage, read> params: StepParams;

@compute @workgroup_size(GROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (rests()) { return; }
  let p = parameter[i];
  let g = gradient[i] * params.grad_scale + DECAY * p;
  let v = MOMENTUM * velocity[i] + g;
  velocity[i] = v;
  parameter[i] = p - own_lr() * select(v, g + MOMENTUM * v, NESTEROV);
}
