// A group of parameters has a pace of its own: its rate is LR_SCALE times the step's, and it rests for the first REST steps, as if
// training began for it then: its own number of the step is step - REST.
override LR_SCALE: f32 = 1.0;
override REST: f32 = 0.0;

// Whether the update leaves these parameters and their state alone.
fn rests() -> bool { return params.stop != 0.0 || params.step <= REST; }
fn own_lr() -> f32 { return params.lr * LR_SCALE; }
fn own_step() -> f32 { return params.step - REST; }
