// For kernels that bind `images` and hold one of them in `image`, [SIDE, SIDE].

// Unpacks image `source` as fractions of 255; invocation `thread` of `threads` takes its share.
fn load_image(source: u32, thread: u32, threads: u32) {
    for (var i = thread; i < SIDE * SIDE / 4u; i += threads) {
        let word = images[source * (SIDE * SIDE / 4u) + i];
        let v = vec4<f32>(vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) & vec4<u32>(255u)) / 255.0;
        image[4u * i] = v.x;
        image[4u * i + 1u] = v.y;
        image[4u * i + 2u] = v.z;
        image[4u * i + 3u] = v.w;
    }
}
