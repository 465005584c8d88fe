// global_norm: torch.nn.utils.clip_grad_norm_ over several tensors, without a read-back.
//   norm = hyper.scale * sqrt(sum of all gradients squared);  hyper.scale *= min(1, MAX_NORM / (norm + 1e-6))
override SIZE: u32;
override GROUP: u32;
override GROUPS: u32;
override FIRST: u32;
override MAX_NORM: f32;

var<workgroup> part: array<f32, GROUP>;

fn sum_all(index: u32, value: f32) -> f32 {
  part[index] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) { part[index] += part[index + half]; }
    workgroupBarrier();
  }
  return part[0];
}

// squares: partials[FIRST + group] = a share of the sum of squares of one tensor
@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;        // [SIZE]
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;    // [all groups of all tensors]
@compute @workgroup_size(GROUP)
fn squares(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  var sum = vec4f();
  for (var i = group.x * GROUP + index; i < SIZE; i += GROUPS * GROUP) { sum += gradient[i] * gradient[i]; }
  let total = sum_all(index, dot(sum, vec4f(1.0)));
  if (index == 0u) { partials[FIRST + group.x] = total; }
}

// clip: one workgroup adds the SIZE partial sums in a fixed order
@group(0) @binding(0) var<storage, read> partials_in: array<f32>;       // [SIZE]
@group(0) @binding(1) var<storage, read_write> hyper: array<vec4f>;     // (learning rate, gradient scale, step, stop)
@group(0) @binding(2) var<storage, read_write> norm: array<vec4f>;      // (norm before clipping, factor, 0, 0)
@compute @workgroup_size(GROUP)
fn clip(@builtin(local_invocation_index) index: u32) {
  var sum = 0.0;
  for (var i = index; i < SIZE; i += GROUP) { sum += partials_in[i]; }
  let total = sum_all(index, sum);
  if (index == 0u) {
    let whole = abs(hyper[0].y) * sqrt(total);
    let factor = min(1.0, MAX_NORM / (whole + 1e-6));
    norm[0] = vec4f(whole, factor, 0.0, 0.0);
    hyper[0].y *= factor;
  }
}
