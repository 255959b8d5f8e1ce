use super::*;
use crate::local::simulation::disk::SimulatedDisk;
use crate::local::store::{Bounds, Retention, Store};

#[test]
fn what_was_read_ahead_of_the_end_is_read_again() {
    let disk = SimulatedDisk::new(0);
    let bounds = Bounds { segment: 10_000, group: 1_000, retention: Retention::All };
    let mut store = Store::open(disk.clone(), bounds).expect("a new stream");
    let mut cursor = Cursor::new(disk.clone(), Offset(0));
    for number in 0..5 {
        let batch = [(vec![number], vec![number; 50])];
        let end = store.commit([batch.as_slice()].into_iter()).expect("the disk works");
        // The next group as a reader may see it that comes in the middle of the write.
        disk.damage(&segment::name(Offset(0)), |bytes| bytes.extend([number; 40]));
        let read = cursor.read(end).expect("what is durable can be read");
        assert_eq!(read.iter().map(|record| record.key[0]).collect::<Vec<_>>(), [number]);
    }
}
