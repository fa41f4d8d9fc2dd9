//! Placement of labels beside the points of a plot, without overlaps.

use super::plot::{TEXT_PX, width_px};

/// Distances from the edge of a point to its label, in pixels, in the order in which they are tried.
const DISTANCES_PX: [f64; 8] = [3.0, 10.0, 20.0, 34.0, 52.0, 74.0, 100.0, 130.0];
/// Labels at a greater distance are connected to their point by a line.
const NEAR_PX: f64 = 9.0;
/// Directions from a point to its label as x and y, in the order in which they are tried.
const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.7, -0.7), (-0.7, -0.7), (0.7, 0.7), (-0.7, 0.7)];

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn overlaps(&self, other: &Rect) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    pub(super) fn is_inside(&self, other: &Rect) -> bool {
        self.left >= other.left && self.right <= other.right && self.top >= other.top && self.bottom <= other.bottom
    }

    /// The square around a point.
    pub(super) const fn around(x: f64, y: f64, radius: f64) -> Self {
        Self { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
    }
}

/// A point and its label.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) radius: f64,
    /// How far its mark reaches, in radii.
    pub(super) extent: f64,
    pub(super) text: String,
}

impl Point {
    /// Half the side of the square that holds the mark.
    pub(super) fn reach(&self) -> f64 {
        self.radius * self.extent
    }
}

/// A placed label.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) text: String,
    /// The position of the text's anchor on its base line.
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) anchor: &'static str,
    /// The line to a point that is not near: x and y of its two ends.
    pub(super) leader: Option<[f64; 4]>,
}

/// Labels for `points`, inside `bounds` and clear of `obstacles`; earlier points have priority. `None` if there is no
/// room.
pub(super) fn place(points: &[Point], obstacles: &[Rect], bounds: &Rect) -> Vec<Option<Label>> {
    let mut taken: Vec<Rect> = points.iter().map(|point| Rect::around(point.x, point.y, point.reach())).collect();
    taken.extend(obstacles);
    points
        .iter()
        .map(|point| {
            let (label, rect) = try_place(point, bounds, &taken)?;
            taken.push(rect);
            Some(label)
        })
        .collect()
}

fn try_place(point: &Point, bounds: &Rect, taken: &[Rect]) -> Option<(Label, Rect)> {
    let (width, height) = (width_px(&point.text), TEXT_PX);
    for distance in DISTANCES_PX {
        for (east, south) in DIRECTIONS {
            // The distance is measured between the edges of the label and the point.
            let reach = point.reach() + distance;
            let x = point.x + east * reach + east.signum() * f64::from(u8::from(east != 0.0)) * width / 2.0;
            let y = point.y + south * reach + south.signum() * f64::from(u8::from(south != 0.0)) * height / 2.0;
            let rect =
                Rect { left: x - width / 2.0, top: y - height / 2.0, right: x + width / 2.0, bottom: y + height / 2.0 };
            if rect.is_inside(bounds) && !taken.iter().any(|other| rect.overlaps(other)) {
                let leader = (distance > NEAR_PX).then(|| {
                    let end = (rect.left.max(point.x.min(rect.right)), rect.top.max(point.y.min(rect.bottom)));
                    [point.x + east * point.radius, point.y + south * point.radius, end.0, end.1]
                });
                // The box may be wider than the text, which is aligned to the end near the point.
                let (x, anchor) = match east {
                    0.0 => (x, "middle"),
                    east if east > 0.0 => (rect.left, "start"),
                    _ => (rect.right, "end"),
                };
                let label = Label { text: point.text.clone(), x, y: rect.bottom - 0.2 * height, anchor, leader };
                return Some((label, rect));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_overlap_neither_each_other_nor_points_nor_obstacles_nor_the_edge() {
        let bounds = Rect { left: 0.0, top: 0.0, right: 400.0, bottom: 300.0 };
        let points: Vec<Point> = (0..30)
            .map(|index| Point {
                x: 150.0 + 5.0 * f64::from(index % 6),
                y: 120.0 + 6.0 * f64::from(index / 6),
                radius: 3.0,
                extent: 1.0,
                text: index.to_string(),
            })
            .collect();
        let obstacle = Rect { left: 180.0, top: 100.0, right: 300.0, bottom: 116.0 };
        let labels = place(&points, &[obstacle], &bounds);
        let boxes: Vec<Rect> = labels
            .iter()
            .flatten()
            .map(|label| {
                let width = width_px(&label.text);
                let left = match label.anchor {
                    "start" => label.x,
                    "middle" => label.x - width / 2.0,
                    _ => label.x - width,
                };
                let (top, bottom) = (label.y - 0.8 * TEXT_PX, label.y + 0.2 * TEXT_PX);
                Rect { left, right: left + width, top, bottom }
            })
            .collect();
        assert!(boxes.len() > 20, "only {} of 30 found a place", boxes.len());
        for (index, rect) in boxes.iter().enumerate() {
            assert!(rect.left >= 0.0 && rect.right <= 400.0 && rect.top >= -1e-9, "{rect:?}");
            let inner =
                Rect { left: rect.left + 0.1, right: rect.right - 0.1, top: rect.top + 0.1, bottom: rect.bottom - 0.1 };
            assert!(!boxes[index + 1..].iter().any(|other| inner.overlaps(other)), "{rect:?}");
            assert!(!inner.overlaps(&obstacle), "{rect:?}");
            assert!(!points.iter().any(|point| inner.overlaps(&Rect::around(point.x, point.y, 3.0))), "{rect:?}");
        }
    }
}
