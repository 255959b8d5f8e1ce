use std::io::Read;
use std::time::Duration;

use tokio::time::advance;

use super::*;

/// An acceptor with one core that nobody runs: what is handed over stays with the test.
struct Stage {
    acceptor: Acceptor,
    handed: mpsc::UnboundedReceiver<Handed>,
    listener: std::net::TcpListener,
}

fn stage() -> Stage {
    let (hand, handed) = mpsc::unbounded_channel();
    let counters = Arc::new(ServerCounters::default());
    let load = Arc::new(Load::new(1, Arc::clone(&counters)));
    let (drain, _) = watch::channel(None);
    let readiness = Arc::new(Readiness::default());
    readiness.warmed();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    Stage { acceptor: Acceptor { hands: vec![hand], load, counters, readiness, drain }, handed, listener }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_nobody_disturbs_is_short() {
    let Stage { acceptor, listener, .. } = stage();
    let (readiness, began) = (Arc::clone(&acceptor.readiness), Instant::now());
    assert!(readiness.ready());
    acceptor.run(listener, async {}).await.unwrap();
    assert!(!readiness.ready());
    assert_eq!(began.elapsed(), DRAIN_QUIET_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_in_time_whatever_is_open() {
    let Stage { acceptor, listener, .. } = stage();
    let (counters, began) = (Arc::clone(&acceptor.counters), Instant::now());
    let _stays = acceptor.load.seat();
    acceptor.run(listener, async {}).await.unwrap();
    assert_eq!(began.elapsed(), DRAIN_TIME_MAX);
    assert_eq!(counters.read(Count::DrainAborted), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_accepting_and_closes_the_listener_last() {
    let Stage { acceptor, mut handed, listener } = stage();
    let address = listener.local_addr().unwrap();
    let stays = acceptor.load.seat();
    let client = async {
        for _ in 0..DRAIN_ACCEPT_TIME.as_secs() {
            let _client = TcpStream::connect(address).unwrap();
            handed.recv().await.unwrap();
            sleep(Duration::from_millis(999)).await;
        }
        sleep(Duration::from_millis(100)).await;
        assert!(TcpStream::connect(address).is_err());
        drop(stays);
    };
    let began = Instant::now();
    let (outcome, ()) = tokio::join!(acceptor.run(listener, async {}), client);
    outcome.unwrap();
    assert!(began.elapsed() < DRAIN_TIME_MAX, "nothing was open any more");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_the_queue_when_accepting_ends_is_served() {
    let Stage { acceptor, mut handed, listener } = stage();
    let address = listener.local_addr().unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let _stays = acceptor.load.seat();
    // The connections and the last call come in one turn of the acceptor, which heeds the last call first.
    let (drained, waiting) = tokio::join!(acceptor.drain(listener), async {
        let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        advance(DRAIN_ACCEPT_TIME).await;
        waiting
    });
    drained.unwrap();
    for _ in waiting {
        assert!(handed.try_recv().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_told_so() {
    let Stage { acceptor, mut handed, listener } = stage();
    let (counters, address) = (Arc::clone(&acceptor.counters), listener.local_addr().unwrap());
    let mut seats: Vec<_> = (0..CONNECTIONS_MAX).map(|_| acceptor.load.seat()).collect();
    let client = async {
        let mut refused = TcpStream::connect(address).unwrap();
        while counters.read(Count::Refused) == 0 {
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        refused.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\n"), "{answer}");

        seats.clear();
        let _taken_in = TcpStream::connect(address).unwrap();
        handed.recv().await.unwrap();
    };
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let (outcome, ()) = tokio::join!(acceptor.run(listener, async { end.await.unwrap_or(()) }), async {
        client.await;
        drop(ended);
    });
    outcome.unwrap();
    assert_eq!(counters.read(Count::Refused), 1);
}

#[test]
fn a_core_that_cannot_start_ends_the_server() {
    let Stage { acceptor, listener, .. } = stage();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let make_handler = |_| -> Never { panic!("no handler today") };
        let (counters, readiness) = (acceptor.counters, acceptor.readiness);
        serve(listener, NonZeroUsize::MIN, make_handler, counters, readiness, std::future::pending())
    });
    // The server may already be gone, which is the point.
    while !served.is_finished() {
        let _ = TcpStream::connect(address);
        thread::yield_now();
    }
    assert!(served.join().is_err());
}

struct Never;

impl Handler for Never {
    async fn handle(&self, _: crate::server::Inbound) -> crate::server::Reply {
        unreachable!("it is never built")
    }

    fn patience(&self, _: &crate::server::Post<'_>) -> Option<std::time::Duration> {
        unreachable!("it is never built")
    }

    fn own_time(&self) -> std::time::Duration {
        unreachable!("it is never built")
    }

    fn turned_away(&self) {
        unreachable!("it is never built")
    }

    fn fields(&self, _: &str) -> crate::server::Fields {
        unreachable!("it is never built")
    }
}
