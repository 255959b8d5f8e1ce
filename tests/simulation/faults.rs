//! What fails in a run, and when: drawn from the seed.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::SECOND;

/// Something that fails, for so many microseconds where it passes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The process is killed: its leases and reservations are gone, another starts on its disk.
    Kill { machine: usize, lasts: i64 },
    /// The process stands still, and goes on with what it believes.
    Pause { machine: usize, lasts: i64 },
    /// The machine reaches no stream; exchanges reach it.
    CutOff { machine: usize, lasts: i64 },
    /// The process is replaced with leave to hand back what it does not need.
    Drain { machine: usize },
    /// The ledger dies at its next turn.
    LedgerDies { at: Point, lasts: i64 },
    /// The ledger stands still.
    LedgerPauses { lasts: i64 },
    /// Another ledger takes over from one that stands still at this point, and later goes on.
    TakeOver { at: Point, lasts: i64 },
}

/// A point in the turn of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Nothing is journalled.
    Before,
    /// It is journalled, and nothing is published.
    Between,
    /// Some of it is published.
    Amid,
}

/// The faults of a run between two moments, by time.
pub(crate) fn draw(seed: u64, machines: usize, from: i64, until: i64) -> Vec<(i64, Fault)> {
    let mut random = SmallRng::seed_from_u64(seed ^ 0xfa17);
    let count = random.random_range(1..=10);
    let mut faults: Vec<(i64, Fault)> =
        (0..count).map(|_| (random.random_range(from..until), fault(&mut random, machines))).collect();
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn fault(random: &mut SmallRng, machines: usize) -> Fault {
    let machine = random.random_range(0..machines);
    // From a tenth of a second to three minutes.
    let lasts = (0.1 * 1_800.0_f64.powf(random.random_range(0.0..1.0)) * SECOND as f64) as i64;
    let at = [Point::Before, Point::Between, Point::Amid][random.random_range(0..3)];
    match random.random_range(0..10) {
        0 | 1 => Fault::Kill { machine, lasts },
        2 | 3 => Fault::Pause { machine, lasts },
        4 | 5 => Fault::CutOff { machine, lasts },
        6 => Fault::Drain { machine },
        7 => Fault::LedgerDies { at, lasts },
        8 => Fault::LedgerPauses { lasts },
        _ => Fault::TakeOver { at, lasts },
    }
}
