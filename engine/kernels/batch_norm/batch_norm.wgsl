// batch_norm: y = (x - mean) invstd weight + bias for each channel over ROWS = N * H * W rows. Rows are dealt out to CHUNKS
// invocations for each vector of four channels: invocation i = chunk * C4 + c takes the vectors i, i + CHUNKS * C4, ...
override C: u32;
override C4: u32;
override ROWS: u32;
override CHUNKS: u32;
override EPS: f32;
override MOMENTUM: f32;
override RELU: bool;
override MASK: bool;
override TRAINING: bool;
override ACCUMULATE: bool;

// Rows of a chunk.
fn rows_of(chunk: u32) -> u32 { return (ROWS - chunk + CHUNKS - 1u) / CHUNKS; }

// 1 for real channels, 0 for padding.
fn real(c: u32) -> vec4f {
  return select(vec4f(), vec4f(1.0), vec4u(c * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(C));
}

// chunk_statistics: mean and m2, the sum of squared differences from it, of each chunk, by Welford's update, which stays exact where
// the mean is large beside the spread.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;                    // [ROWS, C]
@group(0) @binding(1) var<storage, read_write> partials: array<vec4f>;       // [CHUNKS, 2, C]: mean, m2
@compute @workgroup_size(GROUP)
fn chunk_statistics(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= CHUNKS * C4) { return; }
  let chunk = i / C4;
  let c = i - chunk * C4;
  var mean = vec4f();
  var m2 = vec4f();
  for (var r = 0u; r < rows_of(chunk); r++) {
    let value = x[i + r * CHUNKS * C4];
    let delta = value - mean;
    mean += delta / f32(r + 1u);
    m2 += delta * (value - mean);
  }
  partials[chunk * 2u * C4 + c] = mean;
  partials[(chunk * 2u + 1u) * C4 + c] = m2;
}

// merge_statistics: joins the chunks (Chan's formula) and moves the running statistics a step of MOMENTUM, the variance
// unbiased, as PyTorch's. One workgroup for each vector of channels.
@group(0) @binding(0) var<storage, read> chunks: array<vec4f>;                 // [CHUNKS, 2, C]
@group(0) @binding(1) var<storage, read_write> merged: array<vec4f>;         // [2, C]: mean, invstd
@group(0) @binding(2) var<storage, read_write> running_mean: array<vec4f>;   // [C]
@group(0) @binding(3) var<storage, read_write> running_var: array<vec4f>;    // [C]
@compute @workgroup_size(GROUP)
fn merge_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let c = group.x;
  // Sums of differences from one of the means, not of the means themselves, keep their low digits.
  let pivot = chunks[c];
  var sum = vec4f();
  for (var r = index; r < CHUNKS; r += GROUP) { sum += f32(rows_of(r)) * (chunks[r * 2u * C4 + c] - pivot); }
  let mean = pivot + workgroup_sum(index, sum) / f32(ROWS);
  var m2 = vec4f();
  for (var r = index; r < CHUNKS; r += GROUP) {
    let delta = chunks[r * 2u * C4 + c] - mean;
    m2 += chunks[(r * 2u + 1u) * C4 + c] + f32(rows_of(r)) * delta * delta;
  }
  let total = workgroup_sum(index, m2);
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
  let c = flat_index(id, n);
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
  let i = flat_index(id, n);
  if (i >= CHUNKS * C4) { return; }
  let c = i % C4;
  let mean = statistics[c];
  let scale = statistics[C4 + c] * weight[c];
  let shift = bias[c];
  for (var at = i; at < ROWS * C4; at += CHUNKS * C4) {
    // Subtracting first: x * scale + (bias - mean * scale) cancels where the mean is large.
    let value = (x[at] - mean) * scale + shift;
    y[at] = select(value, max(value, vec4f()), RELU);
  }
}

// chunk_gradients: for each chunk the sums of dy and of dy (x - mean) invstd
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;                   // [ROWS, C]
@group(0) @binding(3) var<storage, read_write> chunk_sums: array<vec4f>;  // [CHUNKS, 2, C]
@compute @workgroup_size(GROUP)
fn chunk_gradients(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= CHUNKS * C4) { return; }
  let chunk = i / C4;
  let c = i - chunk * C4;
  let mean = statistics[c];
  let invstd = statistics[C4 + c];
  var sum_dy = vec4f();
  var sum_dy_xhat = vec4f();
  for (var at = i; at < ROWS * C4; at += CHUNKS * C4) {
    let d = dy[at];
    sum_dy += d;
    sum_dy_xhat += d * (x[at] - mean) * invstd;
  }
  chunk_sums[chunk * 2u * C4 + c] = sum_dy;
  chunk_sums[(chunk * 2u + 1u) * C4 + c] = sum_dy_xhat;
}

// merge_gradients: dBias and dWeight, each the sum over the chunks (plus what is there, where ACCUMULATE); `sums` holds both alone.
@group(0) @binding(1) var<storage, read_write> sums_out: array<vec4f>;       // [2, C]: dBias, dWeight
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>;        // [C]
@group(0) @binding(3) var<storage, read_write> dbias: array<vec4f>;          // [C]
@compute @workgroup_size(GROUP)
fn merge_gradients(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let c = group.x;
  var sum_dy = vec4f();
  var sum_dy_xhat = vec4f();
  for (var r = index; r < CHUNKS; r += GROUP) {
    sum_dy += chunks[r * 2u * C4 + c];
    sum_dy_xhat += chunks[(r * 2u + 1u) * C4 + c];
  }
  let total_dy = workgroup_sum(index, sum_dy);
  let total_dy_xhat = workgroup_sum(index, sum_dy_xhat);
  if (index == 0u) {
    sums_out[c] = total_dy;
    sums_out[C4 + c] = total_dy_xhat;
    dbias[c] = select(total_dy, dbias[c] + total_dy, ACCUMULATE);
    dweight[c] = select(total_dy_xhat, dweight[c] + total_dy_xhat, ACCUMULATE);
  }
}

// input_gradient: dx = (dy - (dBias + (x - mean) invstd dWeight) / ROWS) weight invstd where TRAINING (the statistics depend on
// x), dy weight invstd elsewhere; times (x > 0) where MASK
@group(0) @binding(3) var<storage, read> weight_in: array<vec4f>;            // [C]
@group(0) @binding(4) var<storage, read> sums: array<vec4f>;                 // [2, C]
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;             // [ROWS, C]
@compute @workgroup_size(GROUP)
fn input_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= CHUNKS * C4) { return; }
  let c = i % C4;
  let mean = statistics[c];
  let invstd = statistics[C4 + c];
  let scale = weight_in[c] * invstd;
  var mean_dy = vec4f();
  var slope = vec4f();
  if (TRAINING) {
    mean_dy = sums[c] / f32(ROWS);
    slope = sums[C4 + c] / f32(ROWS) * invstd;
  }
  for (var at = i; at < ROWS * C4; at += CHUNKS * C4) {
    let value = x[at];
    let gradient = (dy[at] - mean_dy - (value - mean) * slope) * scale;
    dx[at] = select(gradient, vec4f(), vec4<bool>(MASK) & (value <= vec4f()));
  }
}

// move_running: a running statistic, moved by every batch of a step in its turn as `merge_statistics` moves it. Where the third number
// of a record, the images it is of, is 0, there is no such batch.
override BATCHES: u32;
override STRIDE: u32;                                                        // vectors in a record
override OFFSET: u32;                                                        // where the statistic begins in it
@group(0) @binding(0) var<storage, read> records: array<vec4f>;              // [BATCHES, 4 STRIDE]
@group(0) @binding(1) var<storage, read_write> running: array<vec4f>;        // [C]
@compute @workgroup_size(GROUP)
fn move_running(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let c = flat_index(id, n);
  if (c >= C4) { return; }
  var value = running[c];
  for (var b = 0u; b < BATCHES; b++) {
    if (records[b * STRIDE].z > 0.0) {
      value = (1.0 - MOMENTUM) * value + MOMENTUM * records[b * STRIDE + OFFSET + c];
    }
  }
  running[c] = value;
}
