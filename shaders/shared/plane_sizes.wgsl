// Rows and columns of the images, of the convolutions' kernels and of what their pools leave; taps of a kernel.
const SIDE = 28u;
const KERNEL1 = 4u;
const POOL1 = 12u;
const KERNEL2 = 3u;
const POOL2 = 5u;
const TAPS1 = KERNEL1 * KERNEL1;
const TAPS2 = KERNEL2 * KERNEL2;
