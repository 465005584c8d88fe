// softmax_cross_entropy: the whole loss in one launch, one workgroup a row, any number of classes.
// With q = softmax(logits) by subtracting the row's maximum, target p = (1 - SMOOTHING) onehot + SMOOTHING / CLASSES and
// class weights w, PyTorch's cross_entropy(reduction="mean"):
//   loss_n = sum_c w_c p_c (log-sum-exp - logit_c)      D = sum of w[label] over the rows that count (hard) or their number (soft)
//   dlogits_c = (q_c sum_k w_k p_k - w_c p_c) / D       result[n] = (loss_n / D, argmax == label, counted, loss_n)
override ROWS: u32;
override CLASSES: u32;
override PITCH: u32;
override SMOOTHING: f32;

const IGNORE = 0xffffffffu;
const LOWEST = -3.4028234e38;

@group(0) @binding(0) var<storage, read> logits: array<f32>;              // [ROWS, CLASSES]
@group(0) @binding(1) var<storage, read> labels: array<u32>;              // [ROWS]; IGNORE leaves a row out
@group(0) @binding(2) var<storage, read> weights: array<f32>;             // [CLASSES]
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;       // [ROWS, CLASSES]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;      // [ROWS, 4]
@group(0) @binding(1) var<storage, read> soft_targets: array<f32>;        // [ROWS, CLASSES]

// Sums one pair of values per invocation, in a fixed order.
fn sum_all(index: u32, value: vec2f) -> vec2f { return workgroup_sum(index, vec4f(value, 0.0, 0.0)).xy; }

// The larger value and, among equals, the smaller position; a NaN wins.
fn better(a: vec2f, b: vec2f) -> bool {
  return b.x > a.x || (b.x == a.x && b.y < a.y) || (b.x != b.x && a.x == a.x);
}

var<workgroup> part: array<vec2f, GROUP>;

fn max_all(index: u32, value: vec2f) -> vec2f {
  part[index] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    if (index < half && better(part[index], part[index + half])) { part[index] = part[index + half]; }
    workgroupBarrier();
  }
  let best = part[0];
  workgroupBarrier();
  return best;
}

// (maximum, where it is) and sum of exp(logit - maximum) of a row
struct Soft { top: f32, best: f32, sum: f32 }

fn softmax_row(row: u32, index: u32) -> Soft {
  var mine = vec2f(LOWEST, f32(CLASSES));
  for (var c = index; c < CLASSES; c += GROUP) {
    let here = vec2f(logits[row * PITCH + c], f32(c));
    if (better(mine, here)) { mine = here; }
  }
  let top = max_all(index, mine);
  var sum = 0.0;
  for (var c = index; c < CLASSES; c += GROUP) { sum += exp(logits[row * PITCH + c] - top.x); }
  return Soft(top.x, top.y, sum_all(index, vec2f(sum, 0.0)).x);
}

@compute @workgroup_size(GROUP)
fn hard(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.x;
  let soft = softmax_row(row, index);
  let label = labels[row];
  // The mean's denominator is over the whole batch; every workgroup adds it up for itself.
  var mine = 0.0;
  for (var r = index; r < ROWS; r += GROUP) {
    if (labels[r] != IGNORE) { mine += weights[min(labels[r], CLASSES - 1u)]; }
  }
  let denominator = sum_all(index, vec2f(mine, 0.0)).x;
  let counts = label != IGNORE;
  let scale = select(0.0, 1.0 / denominator, counts && denominator > 0.0);
  let log_sum = log(soft.sum);
  let even = SMOOTHING / f32(CLASSES);
  // (sum of w p, sum of w p (log-sum-exp - logit))
  var terms = vec2f();
  for (var c = index; c < CLASSES; c += GROUP) {
    let wp = weights[c] * even + select(0.0, (1.0 - SMOOTHING) * weights[c], c == label);
    if (wp != 0.0) { terms += vec2f(wp, wp * (log_sum - (logits[row * PITCH + c] - soft.top))); }
  }
  let total = sum_all(index, terms);
  for (var c = index; c < PITCH; c += GROUP) {
    var gradient = 0.0;
    if (c < CLASSES) {
      let wp = weights[c] * even + select(0.0, (1.0 - SMOOTHING) * weights[c], c == label);
      gradient = (exp(logits[row * PITCH + c] - soft.top) / soft.sum * total.x - wp) * scale;
    }
    dlogits[row * PITCH + c] = select(0.0, gradient, counts);
  }
  if (index == 0u) {
    let hit = select(0.0, 1.0, u32(soft.best) == label);
    result[row] = select(vec4f(), vec4f(total.y * scale, hit, 1.0, total.y), counts);
  }
}

// A row whose targets sum to 0 does not count. The label for the hit is the target's first maximum.
@compute @workgroup_size(GROUP)
fn soft(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.x;
  let soft = softmax_row(row, index);
  var mine = 0.0;
  for (var r = index; r < ROWS; r += GROUP) {
    var any = false;
    for (var c = 0u; c < CLASSES; c++) { any = any || soft_targets[r * PITCH + c] != 0.0; }
    if (any) { mine += 1.0; }
  }
  let denominator = sum_all(index, vec2f(mine, 0.0)).x;
  let log_sum = log(soft.sum);
  var terms = vec2f();
  var target_sum = 0.0;
  var target_best = vec2f(LOWEST, f32(CLASSES));
  for (var c = index; c < CLASSES; c += GROUP) {
    let target_c = soft_targets[row * PITCH + c];
    let wp = weights[c] * (target_c * (1.0 - SMOOTHING) + SMOOTHING / f32(CLASSES));
    if (wp != 0.0) { terms += vec2f(wp, wp * (log_sum - (logits[row * PITCH + c] - soft.top))); }
    target_sum += abs(target_c);
    let here = vec2f(target_c, f32(c));
    if (better(target_best, here)) { target_best = here; }
  }
  let total = sum_all(index, terms);
  let counts = sum_all(index, vec2f(target_sum, 0.0)).x > 0.0;
  let label = max_all(index, target_best).y;
  let scale = select(0.0, 1.0 / denominator, counts && denominator > 0.0);
  for (var c = index; c < PITCH; c += GROUP) {
    var gradient = 0.0;
    if (c < CLASSES) {
      let wp = weights[c] * (soft_targets[row * PITCH + c] * (1.0 - SMOOTHING) + SMOOTHING / f32(CLASSES));
      gradient = (exp(logits[row * PITCH + c] - soft.top) / soft.sum * total.x - wp) * scale;
    }
    dlogits[row * PITCH + c] = select(0.0, gradient, counts);
  }
  if (index == 0u) {
    let hit = select(0.0, 1.0, soft.best == label);
    result[row] = select(vec4f(), vec4f(total.y * scale, hit, 1.0, total.y), counts);
  }
}

// probabilities: q = softmax(logits), for inference
@group(0) @binding(1) var<storage, read_write> q: array<f32>;             // [ROWS, CLASSES]
@compute @workgroup_size(GROUP)
fn probabilities(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.x;
  let soft = softmax_row(row, index);
  for (var c = index; c < CLASSES; c += GROUP) {
    q[row * PITCH + c] = exp(logits[row * PITCH + c] - soft.top) / soft.sum;
  }
}

// accumulate: totals += (sum of loss_n / D, hits, rows counted, sum of loss_n) over the batch, and the batch's mean loss
// times the gradient scale (1 / batches of the step) is added to history at the step number; one invocation, fixed order. Once a
// loss was not finite, `stop` is 1 and optimisers leave the parameters alone, so that the step can be repeated
// and looked into.
override HISTORY: u32;
@group(0) @binding(0) var<storage, read> rows: array<vec4f>;              // [ROWS, 4]
@group(0) @binding(1) var<storage, read_write> params: StepParams;
@group(0) @binding(2) var<storage, read_write> totals: array<vec4f>;      // [4]
@group(0) @binding(3) var<storage, read_write> history: array<f32>;       // [HISTORY], a ring
@compute @workgroup_size(1)
fn accumulate() {
  var sum = vec4f();
  for (var r = 0u; r < ROWS; r++) { sum += rows[r]; }
  let after = totals[0] + sum;
  totals[0] = after;
  history[u32(params.step) % HISTORY] += sum.x * params.grad_scale;
  // By bits: compilers may assume that no number is NaN.
  let finite = (bitcast<u32>(after.w) & 0x7f800000u) != 0x7f800000u;
  params.stop = select(1.0, 0.0, finite);
}

// sum_rows: what `accumulate` adds to the totals, of one batch alone: for steps whose batches are summed up elsewhere
@group(0) @binding(1) var<storage, read_write> batch_sums: array<vec4f>;  // [4]
@compute @workgroup_size(1)
fn sum_rows() {
  var sum = vec4f();
  for (var r = 0u; r < ROWS; r++) { sum += rows[r]; }
  batch_sums[0] = sum;
}

// accumulate_batches: `accumulate` for a whole step, whose batches' sums begin their records; a record of zeros adds nothing
override BATCHES: u32;
override STRIDE: u32;                                                     // vectors in a record
@group(0) @binding(0) var<storage, read> records: array<vec4f>;           // [BATCHES, 4 STRIDE]
@compute @workgroup_size(1)
fn accumulate_batches() {
  var after = totals[0];
  var loss = 0.0;
  for (var b = 0u; b < BATCHES; b++) {
    let sum = records[b * STRIDE];
    after += sum;
    loss += sum.x * params.grad_scale;
  }
  totals[0] = after;
  history[u32(params.step) % HISTORY] += loss;
  let finite = (bitcast<u32>(after.w) & 0x7f800000u) != 0x7f800000u;
  params.stop = select(1.0, 0.0, finite);
}
