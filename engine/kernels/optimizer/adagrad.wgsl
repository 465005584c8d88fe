// adagrad.step: torch.optim.Adagrad. With g = grad * grad_scale + DECAY p and t the step number from 1:
//   s += g^2;  p -= lr / (1 + (t - 1) LR_DECAY) * g / (sqrt(s) + EPS)
override SIZE: u32;
override EPS: f32;
override DECAY: f32;
override LR_DECAY: f32;

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;   // [SIZE]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;          // [SIZE]
@group(0) @binding(2) var<storage, read_write> sum: array<vec4f>;         // [SIZE], s
@group(0) @binding(3) var<storage, read> params: StepParams;

@compute @workgroup_size(GROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (rests()) { return; }
  let p = parameter[i];
  let g = gradient[i] * params.grad_scale + DECAY * p;
  let s = sum[i] + g * g;
  sum[i] = s;
  parameter[i] = p - own_lr() / (1.0 + (own_step() - 1.0) * LR_DECAY) * g / (sqrt(s) + EPS);
}
