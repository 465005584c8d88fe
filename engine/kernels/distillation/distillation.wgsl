// distillation (Hinton et al. 2015): what a network's predictions are held against besides labels, one workgroup a row.
// With q = softmax(logits / T), targets p (a teacher's softmax(teacher / T), or given ones) and H(p) = -sum_c p_c log p_c:
//   KL(p || q) = sum_c p_c (log p_c - log q_c)          cross-entropy = KL(p || q) + H(p)
//   loss_n = (1 - WEIGHT) label loss_n + WEIGHT T^2 KL_n     dlogits_c = (1 - WEIGHT) its gradient + WEIGHT T (q_c - p_c) / D
// D is the number of rows that count; T^2 keeps the two gradients' sizes alike whatever T is.
override ROWS: u32;
override CLASSES: u32;
override PITCH: u32;
override TEACHER_PITCH: u32;
override TEMPERATURE: f32;
override WEIGHT: f32;

const LOWEST = -3.4028234e38;

@group(0) @binding(0) var<storage, read> logits: array<f32>;              // [ROWS, CLASSES]
@group(0) @binding(1) var<storage, read> teacher: array<f32>;             // [ROWS, CLASSES], its logits
@group(0) @binding(2) var<storage, read> labelled: array<vec4f>;          // [ROWS, 4], the label loss's result
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;       // [ROWS, CLASSES]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;      // [ROWS, 4]
@group(0) @binding(5) var<storage, read_write> parts: array<vec4f>;       // [ROWS, 4]: cross-entropy, KL, H(p), counted

var<workgroup> highest: array<vec2f, GROUP>;

// Maxima of two values per invocation; a NaN wins.
fn max_all(index: u32, value: vec2f) -> vec2f {
  highest[index] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      let a = highest[index];
      let b = highest[index + half];
      highest[index] = select(a, b, (b > a) | (b != b));
    }
    workgroupBarrier();
  }
  let best = highest[0];
  workgroupBarrier();
  return best;
}

fn sum_all(index: u32, value: vec2f) -> vec2f { return workgroup_sum(index, vec4f(value, 0.0, 0.0)).xy; }

@compute @workgroup_size(GROUP)
fn distill(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.x;
  // The mean's denominator is over the whole batch; every workgroup adds it up for itself.
  var mine = 0.0;
  for (var r = index; r < ROWS; r += GROUP) { mine += labelled[r].z; }
  let denominator = sum_all(index, vec2f(mine, 0.0)).x;
  let own = labelled[row];
  let counts = own.z > 0.0;
  let scale = select(0.0, 1.0 / denominator, counts);
  var tops = vec2f(LOWEST);
  for (var c = index; c < CLASSES; c += GROUP) {
    let pair = vec2f(logits[row * PITCH + c], teacher[row * TEACHER_PITCH + c]) / TEMPERATURE;
    tops = select(tops, pair, (pair > tops) | (pair != pair));
  }
  tops = max_all(index, tops);
  var sums = vec2f();
  for (var c = index; c < CLASSES; c += GROUP) {
    sums += exp(vec2f(logits[row * PITCH + c], teacher[row * TEACHER_PITCH + c]) / TEMPERATURE - tops);
  }
  sums = sum_all(index, sums);
  let log_sums = log(sums);
  // (KL, H)
  var terms = vec2f();
  for (var c = index; c < CLASSES; c += GROUP) {
    let log_q_p = vec2f(logits[row * PITCH + c], teacher[row * TEACHER_PITCH + c]) / TEMPERATURE - tops - log_sums;
    let p = exp(log_q_p.y);
    terms += p * vec2f(log_q_p.y - log_q_p.x, -log_q_p.y);
  }
  let total = sum_all(index, terms);
  for (var c = index; c < PITCH; c += GROUP) {
    var gradient = 0.0;
    if (c < CLASSES) {
      let q_p = exp(vec2f(logits[row * PITCH + c], teacher[row * TEACHER_PITCH + c]) / TEMPERATURE - tops) / sums;
      gradient = (1.0 - WEIGHT) * dlogits[row * PITCH + c] + WEIGHT * TEMPERATURE * (q_p.x - q_p.y) * scale;
    }
    dlogits[row * PITCH + c] = select(0.0, gradient, counts);
  }
  if (index == 0u) {
    let loss = (1.0 - WEIGHT) * own.w + WEIGHT * TEMPERATURE * TEMPERATURE * total.x;
    let share = (1.0 - WEIGHT) * own.x + WEIGHT * TEMPERATURE * TEMPERATURE * total.x * scale;
    result[row] = select(vec4f(), vec4f(share, own.y, own.z, loss), counts);
    parts[row] = select(vec4f(), vec4f(total.x + total.y, total.x, total.y, 1.0), counts);
  }
}

// divergence: how far softmax(logits) is from targets that are given; a row of zeros does not count.
@group(0) @binding(1) var<storage, read> soft_targets: array<f32>;        // [ROWS, CLASSES]
@group(0) @binding(2) var<storage, read_write> measured: array<vec4f>;    // [ROWS, 4]: cross-entropy, KL, H(p), counted
@compute @workgroup_size(GROUP)
fn divergence(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.x;
  var top = LOWEST;
  for (var c = index; c < CLASSES; c += GROUP) {
    let here = logits[row * PITCH + c];
    if (here > top || here != here) { top = here; }
  }
  top = max_all(index, vec2f(top)).x;
  // (sum of exp, sum of the targets)
  var sums = vec2f();
  for (var c = index; c < CLASSES; c += GROUP) {
    sums += vec2f(exp(logits[row * PITCH + c] - top), soft_targets[row * PITCH + c]);
  }
  sums = sum_all(index, sums);
  let log_sum = log(sums.x);
  // (cross-entropy, H)
  var terms = vec2f();
  for (var c = index; c < CLASSES; c += GROUP) {
    let p = soft_targets[row * PITCH + c];
    if (p > 0.0) { terms += p * vec2f(log_sum - (logits[row * PITCH + c] - top), -log(p)); }
  }
  let total = sum_all(index, terms);
  if (index == 0u) {
    measured[row] = select(vec4f(), vec4f(total.x, total.x - total.y, total.y, 1.0), sums.y > 0.0);
  }
}

// add_up: totals += the sum of rows, which lie STRIDE vectors apart from OFFSET on; one invocation, fixed order.
override STRIDE: u32 = 1u;
override OFFSET: u32 = 0u;
@group(0) @binding(0) var<storage, read> rows: array<vec4f>;              // [ROWS, 4 STRIDE]
@group(0) @binding(1) var<storage, read_write> totals: array<vec4f>;      // [4]
@compute @workgroup_size(1)
fn add_up() {
  var sum = vec4f();
  for (var r = 0u; r < ROWS; r++) { sum += rows[r * STRIDE + OFFSET]; }
  totals[0] += sum;
}
