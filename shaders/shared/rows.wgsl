// For kernels whose invocations carry whole rows in registers: they bind `images`, `pool1` as vec4s, and
// `convolutions`.

// The rows of pixels under a row of windows of conv1.
alias PixelRows = array<array<f32, SIDE>, PIXELS>;
alias Plane1 = array<array<f32, POOL1>, POOL1>;

// Parameter `index` of the convolutions.
fn convolution(index: u32) -> f32 {
    return convolutions[index / 4u][index % 4u];
}

// A row of a plane of pool1 that begins at vec4 `first`.
fn pool1_row(first: u32) -> array<f32, POOL1> {
    var row: array<f32, POOL1>;
    // unroll
    for (var i = 0u; i < POOL1 / 4u; i++) {
        let values = pool1[first + i];
        // unroll
        for (var x = 0u; x < 4u; x++) {
            row[4u * i + x] = values[x];
        }
    }
    return row;
}

// A plane of pool1 that begins at vec4 `first`.
fn pool1_plane(first: u32) -> Plane1 {
    var plane: Plane1;
    // unroll
    for (var y = 0u; y < POOL1; y++) {
        plane[y] = pool1_row(first + y * (POOL1 / 4u));
    }
    return plane;
}

// Four pixels of 0 to 255.
fn unpack_pixels(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) & vec4<u32>(255u)));
}

// The pixels of 0 to 255 under row `y` of windows of conv1 in the image that begins at word `image`.
fn pixel_rows(image: u32, y: u32) -> PixelRows {
    let first = image + 2u * y * (SIDE / 4u);
    var rows: PixelRows;
    // unroll
    for (var row = 0u; row < PIXELS; row++) {
        // unroll
        for (var word = 0u; word < SIDE / 4u; word++) {
            let values = unpack_pixels(images[first + row * (SIDE / 4u) + word]);
            // unroll
            for (var x = 0u; x < 4u; x++) {
                rows[row][4u * word + x] = values[x];
            }
        }
    }
    return rows;
}
