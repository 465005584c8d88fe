// Numbers of one training step, written by the host before it. After a loss that was not finite `stop` is not 0, and
// whatever would change the parameters leaves them alone.
struct StepParams {
  lr: f32,
  grad_scale: f32,
  // From 1.
  step: f32,
  stop: f32,
}
