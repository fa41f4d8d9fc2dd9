// What changes from step to step. The host writes one record a step; a dynamic offset chooses it.
struct Step {
    // Images in this batch; the last batch of an epoch may be smaller than the others.
    batch: u32,
    // Place of the batch's first image in the epoch's order.
    first: u32,
    // Training steps before this one, over all epochs: the second word of the dropout counter.
    index: u32,
    // Where metrics_reduce leaves this step's sums.
    slot: u32,
    learning_rate: f32,
    // Values of the dropout layer in the images of the batch that other devices train before this one's.
    first_value: u32,
}
