// max_pool: windows of KH x KW taps on [N, H, W, C], STRIDE apart, PAD outside the edges (padding never wins), taps DILATION apart.
// One invocation handles four channels of one pixel, or of one cell of pixels.
override SIZE: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override KH: u32;
override KW: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override DILATION_H: u32;
override DILATION_W: u32;
override MASK: bool;
// Some window reaches over an edge of the input.
override OVER: bool;

const NONE = vec4u(255u);

// forward: y[n,oh,ow,c] = max over the window of x
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, OH, OW, C]
// Which value of the window it was, kh * KW + kw, a byte a channel; 255 where no gradient passes.
@group(0) @binding(2) var<storage, read_write> argmax: array<u32>;

struct Maximum { value: vec4f, at: vec4u }

// The first maximum of a window in row-major order. A NaN wins and stays, as in PyTorch.
fn maximum(i: u32) -> Maximum {
  let pixel = i / C4;
  let line = pixel / OW;
  let image = line / OH;
  let top = i32((line - image * OH) * STRIDE_H) - i32(PAD_TOP);
  let left = i32((pixel - line * OW) * STRIDE_W) - i32(PAD_LEFT);
  let base = image * H * W * C4 + (i - pixel * C4);
  var best = Maximum(vec4f(), NONE);
  for (var k = 0u; k < KH * KW; k++) {
    let ih = top + i32(k / KW * DILATION_H);
    let iw = left + i32(k % KW * DILATION_W);
    let inside = !OVER || (ih >= 0 && ih < i32(H) && iw >= 0 && iw < i32(W));
    let value = x[base + (u32(clamp(ih, 0, i32(H) - 1)) * W + u32(clamp(iw, 0, i32(W) - 1))) * C4];
    let greater = (value > best.value) | ((value != value) & (best.value == best.value)) | (best.at == NONE);
    let wins = greater & vec4<bool>(inside);
    best = Maximum(select(best.value, value, wins), select(best.at, vec4u(k), wins));
  }
  return best;
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { y[i] = maximum(i).value; }
}

// forward_training: the same, and argmax. Where MASK, x is a ReLU's output: a maximum of zero passes nothing.
@compute @workgroup_size(GROUP)
fn forward_training(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let best = maximum(i);
  y[i] = best.value;
  let at = select(best.at, NONE, vec4<bool>(MASK) & (best.value <= vec4f()));
  argmax[i] = at.x | (at.y << 8u) | (at.z << 16u) | (at.w << 24u);
}

// backward: dx[n,ih,iw,c] = sum of dy over the windows whose maximum this pixel is.
@group(0) @binding(0) var<storage, read> argmax_in: array<u32>;    // [N, OH, OW, C / 4]
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;         // [N, OH, OW, C]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;   // [N, H, W, C]

fn argmax_of(out: u32) -> vec4u {
  let word = argmax_in[out];
  return vec4u(word & 255u, (word >> 8u) & 255u, (word >> 16u) & 255u, word >> 24u);
}

@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / W;
  let image = line / H;
  let c = i - pixel * C4;
  let row = line - image * H + PAD_TOP;
  let column = pixel - line * W + PAD_LEFT;
  // The windows that contain this pixel: the last ones, and as many before as still reach it.
  let last_oh = row / STRIDE_H;
  let last_ow = column / STRIDE_W;
  // Added in ascending order, as PyTorch does, so that sums round alike.
  let most_h = (DILATION_H * (KH - 1u) + STRIDE_H) / STRIDE_H;
  let most_w = (DILATION_W * (KW - 1u) + STRIDE_W) / STRIDE_W;
  var sum = vec4f();
  for (var a = most_h - 1u; a < most_h; a--) {
    for (var b = most_w - 1u; b < most_w; b--) {
      let oh = max(last_oh, a) - a;
      let ow = max(last_ow, b) - b;
      let kh = (row - oh * STRIDE_H) / DILATION_H;
      let kw = (column - ow * STRIDE_W) / DILATION_W;
      let on_tap = kh * DILATION_H == row - oh * STRIDE_H && kw * DILATION_W == column - ow * STRIDE_W;
      let reaches = a <= last_oh && b <= last_ow && oh < OH && ow < OW && kh < KH && kw < KW && on_tap;
      let out = ((image * OH + min(oh, OH - 1u)) * OW + min(ow, OW - 1u)) * C4 + c;
      sum += select(vec4f(), dy[out], vec4<bool>(reaches) & (argmax_of(out) == vec4u(kh * KW + kw)));
    }
  }
  dx[i] = sum;
}

// backward_apart: the same where windows do not overlap, PAD is 0 and taps are neighbours (STRIDE >= K): one invocation handles
// the whole cell of STRIDE_H x STRIDE_W pixels that a window owns, so that every value is loaded once.
@compute @workgroup_size(GROUP)
fn backward_apart(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  // Cells cover the input, also where no window fits any more.
  let cw = (W + STRIDE_W - 1u) / STRIDE_W;
  let ch = (H + STRIDE_H - 1u) / STRIDE_H;
  let cell = i / C4;
  let line = cell / cw;
  let image = line / ch;
  let oh = line - image * ch;
  let ow = cell - line * cw;
  let c = i - cell * C4;
  let has_window = oh < OH && ow < OW;
  let out = ((image * OH + min(oh, OH - 1u)) * OW + min(ow, OW - 1u)) * C4 + c;
  let gradient = select(vec4f(), dy[out], has_window);
  let winner = argmax_of(out);
  for (var k = 0u; k < STRIDE_H * STRIDE_W; k++) {
    let r = k / STRIDE_W;
    let s = k % STRIDE_W;
    let ih = oh * STRIDE_H + r;
    let iw = ow * STRIDE_W + s;
    if (ih < H && iw < W) {
      let mine = vec4<bool>(r < KH && s < KW) & (winner == vec4u(r * KW + s));
      dx[((image * H + ih) * W + iw) * C4 + c] = select(vec4f(), gradient, mine);
    }
  }
}
