//! Synthetic digits in the style of MNIST: a data set that needs no files and no download.
//!
//! A digit is a glyph whose points are jittered, displaced by a smooth field (elastic distortion), sheared, rotated and
//! stretched, then fitted into about 20 x 20 of 28 x 28 pixels, drawn with a round pen of varying width, and overlaid
//! with noise. Image `i` depends only on the seed and on `i`.
//!
//! The same seed gives the same bits on every platform: only +, -, *, / and the square root, which IEEE 754 defines to
//! the last bit, and `libm` for sine and cosine, which is the same code everywhere.
//!
//! Source of the elastic distortion: P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural
//! networks applied to visual document analysis", ICDAR 2003; here it displaces the strokes instead of the pixels.

use std::sync::{Mutex, PoisonError};

use super::dataset::{Dataset, Identity, Split};
use super::glyphs::{GLYPHS, Stroke};
use crate::model::{CLASSES, IMAGE_PIXELS, IMAGE_SIDE};
use crate::rng::{Sequence, Stream};

/// The default seed of runs and tests.
pub const SEED: u64 = 1;

type Point = [f32; 2];

/// How strongly digits vary. Lengths are in units of the glyph's box unless their name says pixels.
///
/// Chosen so that a linear classifier stays well above 5 % error (it reaches 9 %; on MNIST 8 %) and the network reaches
/// about 1 % after 10 epochs, as on MNIST.
mod strength {
    /// Standard deviation of each control point.
    pub const POINT_JITTER: f32 = 0.020;
    /// Standard deviation of the displacements on the grid of the elastic field; smoothing about halves them.
    pub const ELASTIC: f32 = 0.13;
    /// Standard deviation of the rotation, in radians.
    pub const ROTATION_RADIANS: f32 = 0.14;
    /// Mean and standard deviation of the slant: shift to the right per unit of height.
    pub const SLANT: [f32; 2] = [0.16, 0.18];
    /// Minimum and maximum ratio of width to height of the glyph's box.
    pub const ASPECT: [f32; 2] = [0.58, 1.00];
    /// Minimum and maximum extent of the longer side, in pixels.
    pub const EXTENT_PIXELS: [f32; 2] = [17.0, 21.0];
    /// Standard deviation of the centre of mass about the centre of the image, in pixels.
    pub const SHIFT_PIXELS: f32 = 0.55;
    /// Minimum and maximum radius of the pen, in pixels.
    pub const PEN_PIXELS: [f32; 2] = [0.75, 1.90];
    /// Minimum and maximum width of the pen's soft edge, in pixels.
    pub const EDGE_PIXELS: [f32; 2] = [0.9, 1.9];
    /// Maximum change of the radius along a stroke, as a share of the radius.
    pub const PRESSURE: f32 = 0.35;
    /// Minimum grey value of full ink, from 0 to 1.
    pub const MIN_CONTRAST: f32 = 0.78;
    /// Maximum share of the ink that grain removes.
    pub const GRAIN: f32 = 0.35;
    /// Probability of background noise, and its maximum grey value, from 0 to 1.
    pub const BACKGROUND_NOISE: [f32; 2] = [0.15, 0.25];
    /// Probability of a stray stroke.
    pub const STRAY_STROKE: f32 = 0.10;
    /// Probability that a piece of the digit is missing.
    pub const GAP: f32 = 0.08;
}

/// Line segments of a curve between two of its points.
const SEGMENTS: usize = 5;
/// Grid points of the elastic field along each side.
const FIELD: usize = 5;
/// Minimum distance of the centre of a stroke from the border of the image, in pixels.
const MARGIN_PIXELS: f32 = 2.5;
/// Images of one work item.
const CHUNK_IMAGES: usize = 500;

/// Draws `train` + `test` digits from `seed`; the test images continue the numbering of the training images.
///
/// Uses all available processors; the result does not depend on their number.
pub fn digits(seed: u64, train: usize, test: usize) -> Dataset {
    digits_with_workers(seed, train, test, std::thread::available_parallelism().map_or(1, |count| count.get()))
}

/// [`digits`] with at most `workers` threads. If no threads can be started, as in browsers, the calling thread draws
/// all images.
pub fn digits_with_workers(seed: u64, train: usize, test: usize, workers: usize) -> Dataset {
    Dataset {
        identity: Identity::Synthetic,
        name: format!("synthetic digits (seed {seed})"),
        source: None,
        train: draw_split(seed, 0, train, workers),
        test: draw_split(seed, train, test, workers),
    }
}

/// Draws the images `first .. first + count`.
fn draw_split(seed: u64, first: usize, count: usize, workers: usize) -> Split {
    let mut split = Split { images: vec![0; count * IMAGE_PIXELS], labels: vec![0; count] };
    let chunks = split.images.chunks_mut(CHUNK_IMAGES * IMAGE_PIXELS).zip(split.labels.chunks_mut(CHUNK_IMAGES));
    let queue = Mutex::new(chunks.enumerate());
    let work = || {
        loop {
            let item = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((chunk, (images, labels))) = item else { return };
            let indices = first + chunk * CHUNK_IMAGES..;
            for ((image, label), index) in images.chunks_exact_mut(IMAGE_PIXELS).zip(labels).zip(indices) {
                *label = draw_digit(seed, index as u32, image);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // If a thread cannot be started, the others process its share of the queue.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    split
}

/// Random numbers with the distributions that a digit needs.
struct Random(Sequence);

impl Random {
    fn between(&mut self, [least, greatest]: [f32; 2]) -> f32 {
        least + (greatest - least) * self.0.uniform()
    }

    /// Approximately normal with mean 0 and standard deviation 1: the sum of four uniform numbers, so that it is never
    /// above 3.5.
    fn normal(&mut self) -> f32 {
        let sum = self.0.uniform() + self.0.uniform() + self.0.uniform() + self.0.uniform();
        (sum - 2.0) * 1.732_050_8
    }

    fn chance(&mut self, probability: f32) -> bool {
        self.0.uniform() < probability
    }
}

/// Draws one digit on black; returns its class.
fn draw_digit(seed: u64, index: u32, image: &mut [u8]) -> u8 {
    let mut random = Random(Sequence::new(seed, Stream::Synthetic, index));
    let class = random.0.below(CLASSES as u32) as usize;
    let variants = GLYPHS[class];
    let glyph = variants[random.0.below(variants.len() as u32) as usize];
    let mut lines: Vec<Vec<Point>> = glyph.iter().map(|stroke| polyline(stroke, &mut random)).collect();
    distort(&mut lines, &mut random);
    fit(&mut lines, &mut random);
    if random.chance(strength::STRAY_STROKE) {
        lines.push(stray_stroke(&mut random));
    }
    let depths = stroke_depths(&lines, &mut random);
    shade(&depths, &mut random, image);
    class as u8
}

/// A stroke as a polyline: a Catmull-Rom curve through its jittered points.
fn polyline(stroke: Stroke, random: &mut Random) -> Vec<Point> {
    let mut points: Vec<Point> = stroke
        .iter()
        .map(|point| {
            [point[0] + strength::POINT_JITTER * random.normal(), point[1] + strength::POINT_JITTER * random.normal()]
        })
        .collect();
    let last = points.len() - 1;
    let closed = stroke[0] == stroke[last];
    if closed {
        points[last] = points[0];
    }
    let (before, after) = if closed { (points[last - 1], points[1]) } else { (points[0], points[last]) };
    let mut line = Vec::with_capacity(last * SEGMENTS + 1);
    line.push(points[0]);
    for index in 0..last {
        let (from, to) = (points[index], points[index + 1]);
        let previous = if index == 0 { before } else { points[index - 1] };
        let next = if index + 2 > last { after } else { points[index + 2] };
        for segment in 1..=SEGMENTS {
            let t = segment as f32 / SEGMENTS as f32;
            line.push([0, 1].map(|axis| catmull_rom([previous[axis], from[axis], to[axis], next[axis]], t)));
        }
    }
    line
}

/// The uniform Catmull-Rom curve between the second and the third of four values, at `t` in [0, 1].
fn catmull_rom([p0, p1, p2, p3]: [f32; 4], t: f32) -> f32 {
    let linear = p2 - p0;
    let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
    let cube = 3.0 * (p1 - p2) + p3 - p0;
    p1 + 0.5 * t * (linear + t * (square + t * cube))
}

/// Displaces every point by a smooth random field: displacements on a coarse grid, interpolated by quadratic B-splines.
fn distort(lines: &mut [Vec<Point>], random: &mut Random) {
    let amount = strength::ELASTIC * random.between([0.4, 1.3]);
    let mut field = [[[0.0f32; 2]; FIELD]; FIELD];
    for displacement in field.iter_mut().flatten() {
        *displacement = [amount * random.normal(), amount * random.normal()];
    }
    for point in lines.iter_mut().flatten() {
        let ((column, across), (row, down)) = (spline(point[0]), spline(point[1]));
        for (field_row, weight_down) in field[row..].iter().zip(down) {
            for (displacement, weight_across) in field_row[column..].iter().zip(across) {
                point[0] += weight_down * weight_across * displacement[0];
                point[1] += weight_down * weight_across * displacement[1];
            }
        }
    }
}

/// The first of the three grid points that affect a coordinate in [0, 1], and their weights, which add up to 1.
fn spline(coordinate: f32) -> (usize, [f32; 3]) {
    let scaled = coordinate.clamp(0.0, 1.0) * (FIELD - 2) as f32;
    let index = (scaled as usize).min(FIELD - 3);
    let t = scaled - index as f32;
    (index, [0.5 * (1.0 - t) * (1.0 - t), 0.5 + t * (1.0 - t), 0.5 * t * t])
}

fn blend(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// Stretches, slants and rotates the digit, then fits it into the image; afterwards the points are in pixels.
fn fit(lines: &mut [Vec<Point>], random: &mut Random) {
    let aspect = random.between(strength::ASPECT);
    let slant = strength::SLANT[0] + strength::SLANT[1] * random.normal();
    let angle = strength::ROTATION_RADIANS * random.normal();
    let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
    let (mut least, mut greatest) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in lines.iter_mut().flatten() {
        let x = (point[0] - 0.5) * aspect - slant * (point[1] - 0.5);
        let y = point[1] - 0.5;
        *point = [cosine * x - sine * y, sine * x + cosine * y];
        for axis in [0, 1] {
            least[axis] = least[axis].min(point[axis]);
            greatest[axis] = greatest[axis].max(point[axis]);
        }
    }
    let extent = (greatest[0] - least[0]).max(greatest[1] - least[1]);
    let scale = (random.between(strength::EXTENT_PIXELS) - 2.0) / extent;
    let centre = centre_of_mass(lines);
    for axis in [0, 1] {
        // MNIST centres the mass of the ink; a digit that would leave the image is moved back.
        let wanted = IMAGE_SIDE as f32 / 2.0 + strength::SHIFT_PIXELS * random.normal();
        let low = wanted + scale * (least[axis] - centre[axis]);
        let high = wanted + scale * (greatest[axis] - centre[axis]);
        let middle = wanted + (MARGIN_PIXELS - low).max(0.0) - (high + MARGIN_PIXELS - IMAGE_SIDE as f32).max(0.0);
        for point in lines.iter_mut().flatten() {
            point[axis] = middle + scale * (point[axis] - centre[axis]);
        }
    }
}

/// The centre of mass of all lines.
fn centre_of_mass(lines: &[Vec<Point>]) -> Point {
    let (mut mass, mut moment) = (0.0, [0.0; 2]);
    for line in lines {
        for pair in line.windows(2) {
            let (x, y) = (pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]);
            let length = (x * x + y * y).sqrt();
            mass += length;
            for axis in [0, 1] {
                moment[axis] += length * 0.5 * (pair[0][axis] + pair[1][axis]);
            }
        }
    }
    moment.map(|value| value / mass)
}

/// A short line at a random position, in pixels.
fn stray_stroke(random: &mut Random) -> Vec<Point> {
    let inside = [MARGIN_PIXELS, IMAGE_SIDE as f32 - MARGIN_PIXELS];
    let from = [random.between(inside), random.between(inside)];
    vec![from, [from[0] + 2.5 * random.normal(), from[1] + 2.5 * random.normal()]]
}

/// The depth of each pixel's centre inside the strokes, in units of the soft edge: 0.5 on the outline.
fn stroke_depths(lines: &[Vec<Point>], random: &mut Random) -> [f32; IMAGE_PIXELS] {
    let mut depths = [0.0f32; IMAGE_PIXELS];
    // Squared, so that thin pens are more frequent than thick ones.
    let thickness = random.0.uniform();
    let pen = blend(strength::PEN_PIXELS[0], strength::PEN_PIXELS[1], thickness * thickness.sqrt());
    let edge = random.between(strength::EDGE_PIXELS);
    for line in lines {
        let from = pen * (1.0 + strength::PRESSURE * (random.0.uniform() - 0.5));
        let to = pen * (1.0 + strength::PRESSURE * (random.0.uniform() - 0.5));
        let segments = line.len() - 1;
        for (segment, pair) in line.windows(2).enumerate() {
            let radius = blend(from, to, segment as f32 / segments as f32);
            draw_line(&mut depths, pair[0], pair[1], radius, edge);
        }
    }
    if random.chance(strength::GAP) {
        erase_spot(&mut depths, lines, random);
    }
    depths
}

/// Draws one line segment with a round pen: each pixel keeps the maximum depth of all segments.
fn draw_line(depths: &mut [f32; IMAGE_PIXELS], from: Point, to: Point, radius: f32, edge: f32) {
    let reach = radius + 0.5 * edge;
    let pixels = |axis: usize| {
        let least = from[axis].min(to[axis]) - reach - 0.5;
        let greatest = from[axis].max(to[axis]) + reach + 0.5;
        // `as` clamps negative values to 0.
        (least as usize).min(IMAGE_SIDE)..(greatest as usize + 1).min(IMAGE_SIDE)
    };
    let along = [to[0] - from[0], to[1] - from[1]];
    let length_squared = along[0] * along[0] + along[1] * along[1];
    let per_length_squared = if length_squared > 0.0 { 1.0 / length_squared } else { 0.0 };
    let per_edge = 1.0 / edge;
    for row in pixels(1) {
        let y = row as f32 + 0.5 - from[1];
        for column in pixels(0) {
            let x = column as f32 + 0.5 - from[0];
            let nearest = ((x * along[0] + y * along[1]) * per_length_squared).clamp(0.0, 1.0);
            let (off_x, off_y) = (x - nearest * along[0], y - nearest * along[1]);
            let distance = (off_x * off_x + off_y * off_y).sqrt();
            let depth = (reach - distance) * per_edge;
            let pixel = &mut depths[row * IMAGE_SIDE + column];
            *pixel = pixel.max(depth);
        }
    }
}

/// Removes the ink around one point of the digit.
fn erase_spot(depths: &mut [f32; IMAGE_PIXELS], lines: &[Vec<Point>], random: &mut Random) {
    let line = &lines[random.0.below(lines.len() as u32) as usize];
    let spot = line[random.0.below(line.len() as u32) as usize];
    let radius = random.between([1.0, 2.4]);
    for (index, depth) in depths.iter_mut().enumerate() {
        let x = (index % IMAGE_SIDE) as f32 + 0.5 - spot[0];
        let y = (index / IMAGE_SIDE) as f32 + 0.5 - spot[1];
        *depth = depth.min(((x * x + y * y).sqrt() - radius + 0.5).max(0.0));
    }
}

/// Converts depths to grey values, with a random contrast, grain in the ink and sometimes background noise.
fn shade(depths: &[f32; IMAGE_PIXELS], random: &mut Random, image: &mut [u8]) {
    let contrast = random.between([strength::MIN_CONTRAST, 1.0]);
    let coarseness = random.0.uniform();
    let grain = strength::GRAIN * coarseness * coarseness;
    let [noise_probability, max_noise] = strength::BACKGROUND_NOISE;
    let noise = if random.chance(noise_probability) { max_noise * random.0.uniform() } else { 0.0 };
    for (pixel, depth) in image.iter_mut().zip(depths) {
        let t = depth.clamp(0.0, 1.0);
        let mut grey = contrast * t * t * (3.0 - 2.0 * t);
        if grey > 0.0 {
            grey *= 1.0 - grain * random.0.uniform();
        }
        if noise > 0.0 {
            // Cubed: most of the background stays nearly black, with a few brighter specks.
            let speck = random.0.uniform();
            grey += noise * speck * speck * speck;
        }
        *pixel = (grey.min(1.0) * 255.0 + 0.5) as u8;
    }
}
