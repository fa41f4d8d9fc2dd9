// Threefry-2x32 with 20 rounds: the twin of rng::threefry2x32, bit for bit.
// Source: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

fn threefry_rotate(x: u32, distance: u32) -> u32 {
    return (x << distance) | (x >> (32u - distance));
}

fn threefry_rounds(x: vec2<u32>, distances: vec4<u32>) -> vec2<u32> {
    var y = x;
    y.x += y.y;
    y.y = threefry_rotate(y.y, distances.x) ^ y.x;
    y.x += y.y;
    y.y = threefry_rotate(y.y, distances.y) ^ y.x;
    y.x += y.y;
    y.y = threefry_rotate(y.y, distances.z) ^ y.x;
    y.x += y.y;
    y.y = threefry_rotate(y.y, distances.w) ^ y.x;
    return y;
}

fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let even = vec4<u32>(13u, 15u, 26u, 6u);
    let odd = vec4<u32>(17u, 29u, 16u, 24u);
    let parity = 0x1BD11BDAu ^ key.x ^ key.y;
    var x = counter + key;
    x = threefry_rounds(x, even) + vec2<u32>(key.y, parity + 1u);
    x = threefry_rounds(x, odd) + vec2<u32>(parity, key.x + 2u);
    x = threefry_rounds(x, even) + vec2<u32>(key.x, key.y + 3u);
    x = threefry_rounds(x, odd) + vec2<u32>(key.y, parity + 4u);
    x = threefry_rounds(x, even) + vec2<u32>(parity, key.x + 5u);
    return x;
}
