use super::*;

fn pending(value_bytes: usize) -> Pending {
    Pending::new(vec![(Vec::new(), vec![0; value_bytes])], None).expect("it is not too large")
}

const NO_TIME: Duration = Duration::ZERO;

#[test]
fn what_is_too_large_or_empty_is_not_queued() {
    let check = |records: Vec<KeyValue>, expected: Option<AppendError>| {
        assert_eq!(Pending::new(records, None).err(), expected);
    };
    let record = |bytes: usize| (vec![0; 10], vec![0; bytes - 10]);
    check(vec![record(RECORD_BYTES_MAX)], None);
    let too_large = |bytes, bytes_max| Some(AppendError::TooLarge { bytes, bytes_max });
    check(vec![record(RECORD_BYTES_MAX + 1)], too_large(RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX));
    check(vec![record(RECORD_BYTES_MAX); 16], None);
    check(vec![record(RECORD_BYTES_MAX); 17], too_large(21 + 17 * (8 + RECORD_BYTES_MAX), BATCH_BYTES_MAX));
    check(vec![], Some(AppendError::EmptyBatch));
}

#[test]
fn a_full_queue_refuses_until_a_group_is_taken() {
    let fill = |value_bytes: usize, fits: usize| {
        let queue = Queue::new();
        for _ in 0..fits {
            queue.push(pending(value_bytes)).expect("there is room");
        }
        assert_eq!(queue.push(pending(value_bytes)), Err(AppendError::Overloaded));
        let group = queue.next_group(NO_TIME).expect("something waits");
        assert!(group.iter().map(|p| p.length).sum::<usize>() <= GROUP_BYTES_MAX);
        for _ in 0..group.len() {
            queue.push(pending(value_bytes)).expect("there is room again");
        }
        assert_eq!(queue.push(pending(value_bytes)), Err(AppendError::Overloaded));
    };
    fill(0, QUEUE_APPENDS_MAX);
    fill(RECORD_BYTES_MAX, QUEUE_BYTES_MAX / (RECORD_BYTES_MAX + 29));
}

#[test]
fn a_closed_queue_hands_out_what_waits_and_no_more() {
    let queue = Queue::new();
    queue.push(pending(1)).expect("there is room");
    queue.refuse(AppendError::Closed);
    assert_eq!(queue.push(pending(1)), Err(AppendError::Closed));
    let forever = Duration::MAX;
    assert_eq!(queue.next_group(forever).map(|group| group.len()), Some(1));
    assert!(queue.next_group(forever).is_none());
}

#[test]
fn telemetry_that_fills_its_part_of_the_queue_does_not_wait() {
    let queue = Queue::new();
    for _ in 0..TELEMETRY_QUEUE_APPENDS {
        queue.push(pending(1)).expect("there is room");
    }
    assert_eq!(queue.next_group(Duration::MAX).map(|group| group.len()), Some(TELEMETRY_QUEUE_APPENDS));
}
