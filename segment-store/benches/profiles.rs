//! What a look-up costs, and how much memory an id takes. `cargo bench -p segment-store`.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use decision::ids::{AdvertiserId, CampaignId, CreativeId, IdHash, ImpressionId, SegmentId};
use decision::privacy::{Permit, Signals};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use divan::{AllocProfiler, Bencher};
use segment_store::{CapChange, CapEvent, IdHasher, Join, Keep, LocalProfiles, ProfileBuffer, Profiles};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const NOW: Micros = Micros(1_795_000_000_000_000);
const RECORDS: u64 = 1_000_000;
const MEMBERSHIPS: u32 = 8;

struct Filled {
    profiles: Profiles,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

/// A million ids of as many people, each in eight segments of a thousand.
static FILLED: LazyLock<Filled> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let profiles = open(&folder);
    for start in (0..RECORDS).step_by(10_000) {
        let people: Vec<_> = (start..start + 10_000).map(|n| (id(n), memberships(n))).collect();
        let join = |(id, memberships)| Join { ids: std::slice::from_ref(id), person: None, memberships };
        let joins: Vec<_> = people.iter().map(|(id, memberships)| join((id, memberships))).collect();
        runtime.block_on(profiles.join_all(&joins, NOW)).expect("a disk that works");
    }
    Filled { profiles, runtime, _folder: folder }
});

fn open(folder: &tempfile::TempDir) -> Profiles {
    Profiles::Local(Arc::new(LocalProfiles::open(folder.path()).expect("a disk that works")))
}

fn id(number: u64) -> IdHash {
    IdHasher::new([1; 16]).hash(&[&number.to_string()])
}

fn memberships(person: u64) -> [Membership; MEMBERSHIPS as usize] {
    std::array::from_fn(|n| Membership {
        segment: SegmentId(n as u32 * 125 + (person % 125) as u32),
        until: Seconds(1_795_000_000 + (person * 7_919 % 2_592_000) as u32 + n as u32 * 3_600),
        confidence: 100,
    })
}

fn event(impression: u64, change: CapChange) -> CapEvent {
    CapEvent {
        impression: ImpressionId(u128::from(impression).to_le_bytes()),
        campaign: CampaignId(1 + (impression % 4) as u32),
        creative: CreativeId(10),
        advertiser: AdvertiserId(1),
        segment: None,
        ghost: false,
        keep: Keep { campaign: 3, creative: 0, ..Keep::default() },
        change,
    }
}

fn bench_read(bencher: Bencher<'_, '_>, ids_of: impl Fn(u64) -> Vec<IdHash>) {
    let filled = &*FILLED;
    let permit = Permit::of(&Signals::default());
    let requests: Vec<_> = (0..100_000).map(|n| ids_of(n * 104_729 % RECORDS)).collect();
    let mut buffer = ProfileBuffer::new();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % requests.len();
        // A local look-up never waits, so one poll is all of it.
        let result = {
            let read = std::pin::pin!(filled.profiles.read(
                permit,
                &requests[next],
                NOW,
                tokio::time::Instant::now(),
                &mut buffer
            ));
            read.poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(result, Poll::Ready(Ok(())));
        divan::black_box(buffer.profile().memberships.len())
    });
}

#[divan::bench]
fn hash_an_id(bencher: Bencher<'_, '_>) {
    let hasher = IdHasher::new([1; 16]);
    bencher.bench_local(|| hasher.hash(divan::black_box(&["demo", ":", "f47ac10b-58cc-4372-a567-0e02b2c3d479"])));
}

#[divan::bench]
fn read_one_id_of_a_million(bencher: Bencher<'_, '_>) {
    bench_read(bencher, |n| vec![id(n)]);
}

#[divan::bench]
fn read_a_stranger(bencher: Bencher<'_, '_>) {
    bench_read(bencher, |n| vec![id(RECORDS + n)]);
}

#[divan::bench]
fn read_three_ids(bencher: Bencher<'_, '_>) {
    bench_read(bencher, |n| vec![id(n), id(RECORDS + n), id((n + 1) % RECORDS)]);
}

#[divan::bench]
fn read_with_caps(bencher: Bencher<'_, '_>) {
    for n in 0..40 {
        let at = Seconds(1_795_000_000 - n as u32);
        let change = CapChange::Confirmed { at, until: if n % 5 == 0 { Seconds(u32::MAX) } else { at } };
        FILLED.profiles.count(&[id(1)], &event(n, change), NOW);
    }
    bench_read(bencher, |_| vec![id(1)]);
}

#[divan::bench]
fn count_one_of_a_million(bencher: Bencher<'_, '_>) {
    let filled = &*FILLED;
    let ids: Vec<_> = (0..100_000).map(|n| id(n * 104_729 % RECORDS)).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next += 1;
        let until = Seconds(1_795_000_060);
        let id = &ids[next as usize % ids.len()..][..1];
        filled.profiles.count(id, &event(next, CapChange::Pending { until }), NOW);
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn sweep_a_million(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| FILLED.profiles.sweep(NOW));
}

/// Resident memory of this process in bytes, as Linux tells it.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn main() {
    let before = resident_bytes();
    let filled = &*FILLED;
    filled.runtime.block_on(filled.profiles.flush()).expect("a disk that works");
    let bytes = resident_bytes() - before;
    println!(
        "{RECORDS} ids of {MEMBERSHIPS} memberships: {} bytes an id, the embedded store included",
        bytes / RECORDS
    );
    divan::main();
}
