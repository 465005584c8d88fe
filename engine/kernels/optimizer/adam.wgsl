// adam.step: torch.optim.Adam, or AdamW where DECOUPLED. With t the step number from 1 and g = grad * grad_scale:
//   DECOUPLED: p -= lr DECAY p      else: g += DECAY p
//   m += (1 - BETA1)(g - m);  v = BETA2 v + (1 - BETA2) g^2;  p -= lr / (1 - BETA1^t) * m / (sqrt(v / (1 - BETA2^t)) + EPS)
override SIZE: u32;
override LOG_BETA1: f32;
override LOG_BETA2: f32;
override BETA2: f32;
// 1 - BETA1 and 1 - BETA2, rounded once: the float32 difference 1 - 0.999 is off by 1e-5 of itself.
override SHARE1: f32;
override SHARE2: f32;
override EPS: f32;
override DECAY: f32;
override DECOUPLED: bool;

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;   // [SIZE]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;          // [SIZE]
@group(0) @binding(2) var<storage, read_write> mean: array<vec4f>;        // [SIZE], m
@group(0) @binding(3) var<storage, read_write> square: array<vec4f>;      // [SIZE], v
@group(0) @binding(4) var<storage, read> params: StepParams;

// 1 - exp(z) for z <= 0: by its series where exp(z) is close to 1.
fn one_minus_exp(z: f32) -> f32 {
  let series = -z * (1.0 + z / 2.0 * (1.0 + z / 3.0 * (1.0 + z / 4.0 * (1.0 + z / 5.0 *
    (1.0 + z / 6.0 * (1.0 + z / 7.0 * (1.0 + z / 8.0)))))));
  return select(1.0 - exp(z), series, z > -0.5);
}

@compute @workgroup_size(GROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  if (rests()) { return; }
  let old = parameter[i];
  let raw = gradient[i] * params.grad_scale;
  let g = select(raw + DECAY * old, raw, DECOUPLED);
  let p = select(old, old - own_lr() * DECAY * old, DECOUPLED);
  let m = mean[i] + SHARE1 * (g - mean[i]);
  let v = BETA2 * square[i] + SHARE2 * g * g;
  mean[i] = m;
  square[i] = v;
  let root = sqrt(v) / sqrt(one_minus_exp(own_step() * LOG_BETA2)) + EPS;
  parameter[i] = p - own_lr() / one_minus_exp(own_step() * LOG_BETA1) * m / root;
}
