// max_pool: windows of K x K on [N, H, W, C], STRIDE apart, PAD outside the edges (padding never wins).
// One invocation handles four channels of one pixel.
override SIZE: u32;
override GROUP: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override K: u32;
override STRIDE: u32;
override PAD: u32;
override MASK: bool;

const LOWEST = vec4f(-3.4028234e38);

// forward: y[n,oh,ow,c] = max over the window of x
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, OH, OW, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.x + id.y * n.x * GROUP;
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / OW;
  let image = line / OH;
  let top = i32((line - image * OH) * STRIDE) - i32(PAD);
  let left = i32((pixel - line * OW) * STRIDE) - i32(PAD);
  let base = image * H * W * C4 + (i - pixel * C4);
  var best = LOWEST;
  for (var kh = 0u; kh < K; kh++) {
    let ih = top + i32(kh);
    for (var kw = 0u; kw < K; kw++) {
      let iw = left + i32(kw);
      let inside = PAD == 0u || (ih >= 0 && ih < i32(H) && iw >= 0 && iw < i32(W));
      let at = base + (u32(clamp(ih, 0, i32(H) - 1)) * W + u32(clamp(iw, 0, i32(W) - 1))) * C4;
      let value = x[at];
      // A NaN wins and stays, as in PyTorch.
      best = select(best, value, ((value > best) | (value != value)) & vec4<bool>(inside));
    }
  }
  y[i] = best;
}

// backward: dx[n,ih,iw,c] = sum of dy over the windows whose first maximum in row-major order is this pixel,
// times (x > 0) where MASK. Each window is searched again instead of storing where its maximum was.
@group(0) @binding(0) var<storage, read> x_in: array<vec4f>;       // [N, H, W, C]
@group(0) @binding(1) var<storage, read> y_in: array<vec4f>;       // [N, OH, OW, C]
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;         // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;   // [N, H, W, C]
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.x + id.y * n.x * GROUP;
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / W;
  let image = line / H;
  let c = i - pixel * C4;
  let ih = i32(line - image * H);
  let iw = i32(pixel - line * W);
  let base = image * H * W * C4 + c;
  let value = x_in[i];
  var sum = vec4f();
  // The windows that contain this pixel.
  let oh_end = min((ih + i32(PAD)) / i32(STRIDE), i32(OH) - 1);
  let ow_end = min((iw + i32(PAD)) / i32(STRIDE), i32(OW) - 1);
  let oh_first = max((ih + i32(PAD) - i32(K) + i32(STRIDE)) / i32(STRIDE), 0);
  let ow_first = max((iw + i32(PAD) - i32(K) + i32(STRIDE)) / i32(STRIDE), 0);
  for (var oh = oh_first; oh <= oh_end; oh++) {
    for (var ow = ow_first; ow <= ow_end; ow++) {
      let out = ((image * OH + u32(oh)) * OW + u32(ow)) * C4 + c;
      let best = y_in[out];
      var mine = (value == best) | (value != value);
      // Another pixel of the window, earlier in row-major order, with the same value comes first.
      for (var r = oh * i32(STRIDE) - i32(PAD); r <= ih; r++) {
        let first = ow * i32(STRIDE) - i32(PAD);
        let end = select(first + i32(K), iw, r == ih);
        for (var s = first; s < end; s++) {
          let inside = r >= 0 && s >= 0 && s < i32(W);
          let other = x_in[base + (u32(max(r, 0)) * W + u32(clamp(s, 0, i32(W) - 1))) * C4];
          mine = mine & !(vec4<bool>(inside) & ((other == best) | (other != other)));
        }
      }
      sum += select(vec4f(), dy[out], mine);
    }
  }
  if (MASK) { sum = select(vec4f(), sum, value > vec4f()); }
  dx[i] = sum;
}

// backward_apart: the same where windows do not overlap and PAD is 0 (STRIDE >= K): one invocation handles the
// whole cell of STRIDE x STRIDE pixels that a window owns, so that every value is loaded once.
@group(0) @binding(0) var<storage, read> x_own: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy_own: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx_own: array<vec4f>;
@compute @workgroup_size(GROUP)
fn backward_apart(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.x + id.y * n.x * GROUP;
  if (i >= SIZE) { return; }
  // Cells cover the input, also where no window fits any more.
  let cw = (W + STRIDE - 1u) / STRIDE;
  let ch = (H + STRIDE - 1u) / STRIDE;
  let cell = i / C4;
  let line = cell / cw;
  let image = line / ch;
  let oh = line - image * ch;
  let ow = cell - line * cw;
  let c = i - cell * C4;
  let base = image * H * W * C4 + c;
  let has_window = oh < OH && ow < OW;
  var best = LOWEST;
  var winner_at = vec4u();
  if (has_window) {
    for (var k = 0u; k < K * K; k++) {
      let value = x_own[base + ((oh * STRIDE + k / K) * W + ow * STRIDE + k % K) * C4];
      let wins = (value > best) | ((value != value) & (best == best)) | vec4<bool>(k == 0u);
      best = select(best, value, wins);
      winner_at = select(winner_at, vec4u(k), wins);
    }
  }
  let gradient = select(vec4f(), dy_own[((image * OH + min(oh, OH - 1u)) * OW + min(ow, OW - 1u)) * C4 + c], has_window);
  // The window's maximum is the only value that can pass the gradient, so its sign decides the ReLU too.
  let passed = select(gradient, vec4f(), vec4<bool>(MASK) & (best <= vec4f()));
  for (var k = 0u; k < STRIDE * STRIDE; k++) {
    let r = k / STRIDE;
    let s = k % STRIDE;
    let ih = oh * STRIDE + r;
    let iw = ow * STRIDE + s;
    if (ih < H && iw < W) {
      let winner = vec4<bool>(r < K && s < K && has_window) & (winner_at == vec4u(r * K + s));
      dx_own[base + (ih * W + iw) * C4] = select(vec4f(), passed, winner);
    }
  }
}
