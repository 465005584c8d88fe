// conv2d.weight_grad: dWeight[kh,kw,i,o] = sum over n, oh, ow of x[n, oh*STRIDE-PAD+kh*DILATION, ow*STRIDE-PAD+kw*DILATION, i] * dy[n,oh,ow,o]
// and dBias[o] = sum over n, oh, ow of dy[n,oh,ow,o]. As a product: a row is (kh, kw, i), a column an output channel,
// a step along k one output pixel. The pixels are cut into SPLIT_K runs, each a layer of the grid with a partial
// sum of its own; a second launch adds them in order, so that the result repeats bit by bit.
override N: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override O4: u32;
override KH: u32;
override KW: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override DILATION_H: u32;
override DILATION_W: u32;
// Some window reaches over an edge of the input.
override OVER: bool;
override SPLIT_K: u32;
override C_GROUP: u32;
override O_GROUP: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;                  // [N, H, W, C]
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;                 // [N, OH, OW, O]
@group(0) @binding(2) var<storage, read_write> partial_weight: array<vec4f>; // [SPLIT_K, KH, KW, C, O]
@group(0) @binding(3) var<storage, read_write> partial_bias: array<vec4f>;   // [SPLIT_K * 4, O]

// at: (kh, kw, i) as one index of vectors; kh, kw in pixels, already less PAD.
struct Row { at: u32, kh: i32, kw: i32, i: u32, split: u32 }

fn row_at(at: u32, split: u32) -> Row {
  let tap = min(at / C4, KH * KW - 1u);
  return Row(at, i32(tap / KW * DILATION_H) - i32(PAD_TOP), i32(tap % KW * DILATION_W) - i32(PAD_LEFT), at % C4, split);
}

fn first_row(index: u32, z: u32) -> Row { return row_at(index, z); }

fn next_row(row: Row) -> Row { return row_at(row.at + 1u, row.split); }

// Whether none of these rows (vectors, first to last) is of a group that the columns from col0 on are of.
fn apart(first: u32, last: u32, col0: u32) -> bool {
  let same_tap = first / C4 == last / C4;
  let group = vec2u(first % C4 * 4u, last % C4 * 4u + 3u) / C_GROUP;
  let col_group = vec2u(col0 * 4u, col0 * 4u + BN - 1u) / O_GROUP;
  return C_GROUP < C4 * 4u && same_tap && (group.y < col_group.x || col_group.y < group.x);
}

struct Step { pixel: u32, end: u32, oh: u32, ow: u32, n: u32 }

fn run_length() -> u32 { return (N * OH * OW + SPLIT_K - 1u) / SPLIT_K; }

fn first_step(z: u32, col0: u32) -> Step {
  let pixel = min(z * run_length(), N * OH * OW);
  let line = pixel / OW;
  let n = line / OH;
  return Step(pixel, min(pixel + run_length(), N * OH * OW), line - n * OH, pixel - line * OW, n);
}

fn step_count(z: u32, col0: u32) -> u32 {
  let s = first_step(z, col0);
  return s.end - s.pixel;
}

fn next_step(s: Step) -> Step {
  let wrap_w = s.ow + 1u >= OW;
  let wrap_h = wrap_w && s.oh + 1u >= OH;
  return Step(
    s.pixel + 1u,
    s.end,
    select(select(s.oh, s.oh + 1u, wrap_w), 0u, wrap_h),
    select(s.ow + 1u, 0u, wrap_w),
    select(s.n, s.n + 1u, wrap_h),
  );
}

// The n-th step at once, for cores that do not walk.
fn step_at(n: u32, z: u32, col0: u32) -> Step {
  let pixel = min(z * run_length(), N * OH * OW) + n;
  let line = pixel / OW;
  let image = line / OH;
  return Step(pixel, min((z + 1u) * run_length(), N * OH * OW), line - image * OH, pixel - line * OW, image);
}

fn pick_step(a: Step, b: Step, second: bool) -> Step {
  return Step(
    select(a.pixel, b.pixel, second),
    a.end,
    select(a.oh, b.oh, second),
    select(a.ow, b.ow, second),
    select(a.n, b.n, second),
  );
}

fn load_a(row: Row, s: Step) -> vec4f {
  let ih = i32(s.oh * STRIDE_H) + row.kh;
  let iw = i32(s.ow * STRIDE_W) + row.kw;
  let n = min(s.n, N - 1u);
  if (!OVER) {
    return x[((n * H + u32(ih)) * W + u32(iw)) * C4 + row.i];
  }
  let inside = ih >= 0 && ih < i32(H) && iw >= 0 && iw < i32(W);
  let at = ((n * H + u32(clamp(ih, 0, i32(H) - 1))) * W + u32(clamp(iw, 0, i32(W) - 1))) * C4 + row.i;
  return select(vec4f(), x[at], inside);
}

// Steps beyond the run's end count as zero here, so load_a need not care about them.
fn load_b(s: Step, col: u32) -> vec4f {
  let at = min(s.pixel, N * OH * OW - 1u) * O4 + min(col, O4 - 1u);
  return select(vec4f(), dy[at], s.pixel < s.end);
}

fn store(row: Row, part: u32, col: u32, sum: vec4f) {
  if (row.at < KH * KW * C4 && col < O4) {
    var value = sum;
    if (C_GROUP < C4 * 4u) {
      // Where channel and output are of different groups there is no weight.
      let o = vec4u(col * 4u) + vec4u(0u, 1u, 2u, 3u);
      value = select(vec4f(), sum, o / O_GROUP == vec4u((row.i * 4u + part) / C_GROUP));
    }
    partial_weight[(row.split * KH * KW * C4 * 4u + row.at * 4u + part) * O4 + col] = value;
  }
}

fn store_col_sum(slot: u32, col: u32, sum: vec4f) {
  if (col < O4) { partial_bias[slot * O4 + col] = sum; }
}
