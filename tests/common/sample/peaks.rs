//! Peaks made by hand.

use gpubench::result::{Measured, Peak, PeakKind, Peaks, Subject};

/// What the peaks are of.
pub fn subject() -> Subject {
    Subject {
        adapter: "GeForce GTX 1080 Ti".into(),
        pci_bus_id: "0000:01:00.0".into(),
        backend: "vulkan".into(),
        driver: "NVIDIA 550.1".into(),
        version: "0.1.0".into(),
        shader_hash: "ab".repeat(32),
    }
}

fn figure(kind: PeakKind, bytes: u64, median: f64) -> Peak {
    let deviation = Measured::Value(median / 100.0);
    Peak { kind, bytes: Measured::Value(bytes), median: median.into(), deviation, samples: vec![median; 7] }
}

/// Peaks of `subject`, one of them missing.
pub fn peaks(subject: Subject) -> Peaks {
    Peaks {
        subject,
        measured_utc: "2026-01-02T03:04:05Z".into(),
        cached: false,
        clock: "device figures by the device's timestamps".into(),
        duration_s: 4.5,
        figures: vec![
            figure(PeakKind::Fp32MultiplyAdd, 0, 11_340.0),
            figure(PeakKind::StorageRead, 256 << 10, 1900.0),
            figure(PeakKind::StorageRead, 256 << 20, 420.0),
            figure(PeakKind::DependentDispatch, 0, 4321.0),
            Peak {
                bytes: Measured::missing("memory plays no part"),
                median: Measured::missing("a pass costs nothing"),
                deviation: Measured::missing("a pass costs nothing"),
                ..figure(PeakKind::Pass, 0, 3.0)
            },
        ],
    }
}
