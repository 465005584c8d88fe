// batch_norm: y = (x - mean) invstd weight + bias for each channel over ROWS = N * H * W rows. Rows are dealt out to RUNS
// invocations for each vector of four channels: invocation i = run * C4 + c takes the vectors i, i + RUNS * C4, ...
override C: u32;
override C4: u32;
override ROWS: u32;
override RUNS: u32;
override GROUP: u32;
override EPS: f32;
override MOMENTUM: f32;
override RELU: bool;
override MASK: bool;
override TRAINING: bool;
override ACCUMULATE: bool;

fn invocation(id: vec3u, n: vec3u) -> u32 { return id.x + id.y * n.x * GROUP; }

// Rows of a run.
fn rows_of(run: u32) -> u32 { return (ROWS - run + RUNS - 1u) / RUNS; }

// 1 for real channels, 0 for padding.
fn real(c: u32) -> vec4f {
  return select(vec4f(), vec4f(1.0), vec4u(c * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(C));
}

var<workgroup> part: array<vec4f, GROUP>;

fn sum_all(index: u32, value: vec4f) -> vec4f {
  part[index] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) { part[index] += part[index + half]; }
    workgroupBarrier();
  }
  let total = part[0];
  workgroupBarrier();
  return total;
}

// run_statistics: mean and sum of squared differences from it of each run, by Welford's update, which stays exact where
// the mean is large beside the spread.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;                    // [ROWS, C]
@group(0) @binding(1) var<storage, read_write> partials: array<vec4f>;       // [RUNS, 2, C]: mean, squares
@compute @workgroup_size(GROUP)
fn run_statistics(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = invocation(id, n);
  if (i >= RUNS * C4) { return; }
  let run = i / C4;
  let c = i - run * C4;
  var mean = vec4f();
  var squares = vec4f();
  for (var r = 0u; r < rows_of(run); r++) {
    let value = x[i + r * RUNS * C4];
    let away = value - mean;
    mean += away / f32(r + 1u);
    squares += away * (value - mean);
  }
  partials[run * 2u * C4 + c] = mean;
  partials[(run * 2u + 1u) * C4 + c] = squares;
}

// merge_statistics: joins the runs (Chan's formula) and moves the running statistics a step of MOMENTUM, the variance
// unbiased, as PyTorch's. One workgroup for each vector of channels.
@group(0) @binding(0) var<storage, read> runs: array<vec4f>;                 // [RUNS, 2, C]
@group(0) @binding(1) var<storage, read_write> merged: array<vec4f>;         // [2, C]: mean, invstd
@group(0) @binding(2) var<storage, read_write> running_mean: array<vec4f>;   // [C]
@group(0) @binding(3) var<storage, read_write> running_var: array<vec4f>;    // [C]
@compute @workgroup_size(GROUP)
fn merge_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let c = group.x;
  // Sums of differences from one of the means, not of the means themselves, keep their low digits.
  let pivot = runs[c];
  var sum = vec4f();
  for (var r = index; r < RUNS; r += GROUP) { sum += f32(rows_of(r)) * (runs[r * 2u * C4 + c] - pivot); }
  let mean = pivot + sum_all(index, sum) / f32(ROWS);
  var squares = vec4f();
  for (var r = index; r < RUNS; r += GROUP) {
    let away = runs[r * 2u * C4 + c] - mean;
    squares += runs[(r * 2u + 1u) * C4 + c] + f32(rows_of(r)) * away * away;
  }
  let total = sum_all(index, squares);
  if (index == 0u) {
    merged[c] = mean;
    merged[C4 + c] = real(c) / sqrt(total / f32(ROWS) + EPS);
    running_mean[c] = (1.0 - MOMENTUM) * running_mean[c] + MOMENTUM * mean;
    running_var[c] = (1.0 - MOMENTUM) * running_var[c] + MOMENTUM * total / f32(ROWS - 1u);
  }
}

// use_running: statistics for inference.
@group(0) @binding(0) var<storage, read> mean_in: array<vec4f>;              // [C]
@group(0) @binding(1) var<storage, read> var_in: array<vec4f>;               // [C]
@group(0) @binding(2) var<storage, read_write> statistics_out: array<vec4f>; // [2, C]: mean, invstd
@compute @workgroup_size(GROUP)
fn use_running(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let c = invocation(id, n);
  if (c >= C4) { return; }
  statistics_out[c] = mean_in[c];
  statistics_out[C4 + c] = real(c) / sqrt(var_in[c] + EPS);
}

// normalise: y = (x - mean) invstd weight + bias, then max(., 0) where RELU
@group(0) @binding(1) var<storage, read> statistics: array<vec4f>;           // [2, C]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;               // [C]
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;                 // [C]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;              // [ROWS, C]
@compute @workgroup_size(GROUP)
fn normalise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = invocation(id, n);
  if (i >= RUNS * C4) { return; }
  let c = i % C4;
  let mean = statistics[c];
  let scale = statistics[C4 + c] * weight[c];
  let shift = bias[c];
  for (var at = i; at < ROWS * C4; at += RUNS * C4) {
    // Subtracting first: x * scale + (bias - mean * scale) cancels where the mean is large.
    let value = (x[at] - mean) * scale + shift;
    y[at] = select(value, max(value, vec4f()), RELU);
  }
}

// run_gradients: for each run the sums of dy and of dy (x - mean) invstd
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;                   // [ROWS, C]
@group(0) @binding(3) var<storage, read_write> gradient_runs: array<vec4f>;  // [RUNS, 2, C]
@compute @workgroup_size(GROUP)
fn run_gradients(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = invocation(id, n);
  if (i >= RUNS * C4) { return; }
  let run = i / C4;
  let c = i - run * C4;
  let mean = statistics[c];
  let invstd = statistics[C4 + c];
  var plain = vec4f();
  var weighted = vec4f();
  for (var at = i; at < ROWS * C4; at += RUNS * C4) {
    let d = dy[at];
    plain += d;
    weighted += d * (x[at] - mean) * invstd;
  }
  gradient_runs[run * 2u * C4 + c] = plain;
  gradient_runs[(run * 2u + 1u) * C4 + c] = weighted;
}

// merge_gradients: dBias and dWeight, each the sum over the runs (plus what is there, where ACCUMULATE); `sums` holds both alone.
@group(0) @binding(1) var<storage, read_write> sums_out: array<vec4f>;       // [2, C]: dBias, dWeight
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>;        // [C]
@group(0) @binding(3) var<storage, read_write> dbias: array<vec4f>;          // [C]
@compute @workgroup_size(GROUP)
fn merge_gradients(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let c = group.x;
  var plain = vec4f();
  var weighted = vec4f();
  for (var r = index; r < RUNS; r += GROUP) {
    plain += runs[r * 2u * C4 + c];
    weighted += runs[(r * 2u + 1u) * C4 + c];
  }
  let for_bias = sum_all(index, plain);
  let for_weight = sum_all(index, weighted);
  if (index == 0u) {
    sums_out[c] = for_bias;
    sums_out[C4 + c] = for_weight;
    dbias[c] = select(for_bias, dbias[c] + for_bias, ACCUMULATE);
    dweight[c] = select(for_weight, dweight[c] + for_weight, ACCUMULATE);
  }
}

// input_gradient: dx = (dy - (dBias + (x - mean) invstd dWeight) / ROWS) weight invstd where TRAINING (the statistics depend on
// x), dy weight invstd elsewhere; times (x > 0) where MASK
@group(0) @binding(3) var<storage, read> weight_in: array<vec4f>;            // [C]
@group(0) @binding(4) var<storage, read> sums: array<vec4f>;                 // [2, C]
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;             // [ROWS, C]
@compute @workgroup_size(GROUP)
fn input_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = invocation(id, n);
  if (i >= RUNS * C4) { return; }
  let c = i % C4;
  let mean = statistics[c];
  let invstd = statistics[C4 + c];
  let scale = weight_in[c] * invstd;
  var level = vec4f();
  var slope = vec4f();
  if (TRAINING) {
    level = sums[c] / f32(ROWS);
    slope = sums[C4 + c] / f32(ROWS) * invstd;
  }
  for (var at = i; at < ROWS * C4; at += RUNS * C4) {
    let value = x[at];
    let gradient = (dy[at] - level - (value - mean) * slope) * scale;
    dx[at] = select(gradient, vec4f(), vec4<bool>(MASK) & (value <= vec4f()));
  }
}
