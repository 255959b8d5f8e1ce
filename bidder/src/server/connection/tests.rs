use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;

use super::*;
use crate::limits::{ANSWER_TIME_MAX, BODY_BYTES_MAX, BODY_TIME_MAX, DRAIN_IDLE, HEAD_TIME_MAX};

const GET: &str = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
const BIG: usize = 1024 * 1024;

/// Answers with what it was asked, and misbehaves on request.
#[derive(Default)]
struct Echo {
    turned_away: Cell<u64>,
}

/// The path of requests in a hurry, which is answered with how long ago they came, in milliseconds.
const HURRIED: &str = "/hurried";
const PATIENCE: Duration = Duration::from_millis(80);

impl Handler for Echo {
    async fn handle(&self, request: Inbound) -> Reply {
        let body = match request.path() {
            "/panic" => panic!("asked to"),
            "/late" => {
                sleep(Duration::from_secs(100)).await;
                Bytes::from_static(b"late")
            }
            HURRIED => request.accepted.clock.elapsed().as_millis().to_string().into(),
            "/big" => vec![b' '; BIG].into(),
            path if request.body.is_empty() => path.to_owned().into(),
            _ => request.body,
        };
        Reply::ok(HeaderValue::from_static("text/plain"), body)
    }

    fn patience(&self, post: &Post<'_>) -> Option<Duration> {
        (post.path == HURRIED && post.body == b"no").then_some(PATIENCE)
    }

    fn own_time(&self) -> Duration {
        unreachable!("tests end rounds")
    }

    fn turned_away(&self) {
        self.turned_away.set(self.turned_away.get() + 1);
    }

    fn fields(&self, _: &str) -> crate::server::Fields {
        &[]
    }
}

/// A client of one connection.
struct Client {
    io: DuplexStream,
    unread: Vec<u8>,
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.io.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer: its head without the line's end behind it, and its body.
    async fn answer(&mut self) -> (String, String) {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.unread.drain(..end + 4).collect::<Vec<_>>();
            }
            assert_ne!(self.io.read_buf(&mut self.unread).await.unwrap(), 0, "closed before an answer");
        };
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        while self.unread.len() < length {
            assert_ne!(self.io.read_buf(&mut self.unread).await.unwrap(), 0, "closed amid an answer");
        }
        (head, String::from_utf8(self.unread.drain(..length).collect()).unwrap())
    }

    async fn ask(&mut self, text: &str) -> (String, String) {
        self.send(text).await;
        self.answer().await
    }

    /// How long the server still keeps the connection; nothing more is answered.
    async fn closed_after(&mut self) -> Duration {
        let began = Instant::now();
        assert_eq!(self.io.read_buf(&mut self.unread).await.unwrap_or(0), 0, "an answer nobody asked for");
        began.elapsed()
    }
}

/// What a test looks at and turns on.
struct Stage {
    counters: Arc<ServerCounters>,
    readiness: Arc<Readiness>,
    drain: watch::Sender<Option<Instant>>,
    core: Rc<Core<Echo>>,
}

impl Stage {
    /// Lets nobody begin before the next round.
    fn be_busy(&self) {
        while self.core.turnstile.begins() {}
    }

    fn round(&self) {
        self.core.turnstile.round(Instant::now(), Duration::from_millis(1));
    }

    fn drain(&self) {
        self.readiness.drain();
        self.drain.send_replace(Some(Instant::now()));
    }

    /// How often each of these happened, and that nothing else did but requests.
    fn check(&self, counted: &[(Count, u64)]) {
        let all = Count::ALL.iter().map(|what| (*what, self.counters.read(*what)));
        let seen: Vec<_> = all.filter(|(what, n)| *n > 0 && *what != Count::Requests).collect();
        assert_eq!(seen, counted);
    }
}

fn core(
    counters: Arc<ServerCounters>,
    readiness: Arc<Readiness>,
    drain: watch::Receiver<Option<Instant>>,
) -> Core<Echo> {
    let (handler, gzip, turnstile) = (Echo::default(), RefCell::new(Gzip::new()), Turnstile::default());
    Core { number: 0, handler, counters, readiness, drain, gzip, turnstile, pushed: Semaphore::new(1) }
}

/// Plays `client` against a connection whose buffers hold `buffer` bytes. Returns once both have ended.
async fn play(buffer: usize, client: impl AsyncFnOnce(&mut Client, &Stage)) {
    let (io, server_io) = duplex(buffer);
    let (drain, drained) = watch::channel(None);
    let (counters, readiness) = (Arc::default(), Arc::default());
    let core = Rc::new(core(Arc::clone(&counters), Arc::clone(&readiness), drained));
    let stage = Stage { counters, readiness, drain, core: Rc::clone(&core) };
    let client = async {
        let mut connected = Client { io, unread: Vec::new() };
        client(&mut connected, &stage).await;
    };
    tokio::join!(core.serve(server_io), client);
}

fn closes(head: &str) -> bool {
    head.contains("\r\nconnection: close\r\n")
}

fn post(length: usize) -> String {
    format!("POST /a HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_head_is_complete_in_time_counted_from_its_first_byte() {
    play(1024, async |client, stage| {
        sleep(Duration::from_secs(100)).await;
        client.send("GET /a HT").await;
        assert_eq!(client.closed_after().await, HEAD_TIME_MAX);
        stage.check(&[(Count::HeadLate, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_no_better() {
    play(1024, async |client, stage| {
        for _ in 0..3 {
            client.ask(GET).await;
            sleep(Duration::from_secs(60)).await;
        }
        let began = Instant::now();
        for byte in GET.as_bytes() {
            if client.io.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(900)).await;
        }
        assert!(began.elapsed() < HEAD_TIME_MAX + Duration::from_secs(1));
        stage.check(&[(Count::HeadLate, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_just_in_time_is_answered() {
    play(1024, async |client, stage| {
        let (first, rest) = GET.split_at(9);
        for _ in 0..3 {
            client.send(first).await;
            sleep(HEAD_TIME_MAX - Duration::from_millis(10)).await;
            assert_eq!(client.ask(rest).await.1, "/a");
        }
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_for_150_s_before_and_between_requests() {
    play(1024, async |client, stage| {
        for _ in 0..4 {
            sleep(Duration::from_secs(150)).await;
            assert!(!closes(&client.ask(GET).await.0));
        }
        stage.check(&[]);
        assert_eq!(client.closed_after().await, IDLE_TIME_MAX);
        stage.check(&[(Count::Idle, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn line_ends_between_requests_are_silence() {
    play(1024, async |client, stage| {
        client.ask(GET).await;
        client.send("\r\n").await;
        sleep(Duration::from_secs(100)).await;
        assert_eq!(client.ask(GET).await.1, "/a");
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_body_is_answered_408() {
    play(1024, async |client, stage| {
        let began = Instant::now();
        client.send(&post(100)).await;
        client.send("not all of it").await;
        let (head, _) = client.answer().await;
        assert!(head.starts_with("HTTP/1.1 408 ") && closes(&head), "{head}");
        assert_eq!(began.elapsed(), BODY_TIME_MAX);
        // The server has ended its side; a client that does not end its own is not waited for.
        assert_eq!(client.closed_after().await, Duration::ZERO);
        sleep(LINGER_TIME_MAX + Duration::from_millis(1)).await;
        assert!(client.io.write_all(b"more").await.is_err());
        stage.check(&[(Count::BodyLate, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_not_the_clients_fault() {
    play(1024, async |client, stage| {
        assert_eq!(client.ask("GET /late HTTP/1.1\r\n\r\n").await.1, "late");
        // The head behind it waits its turn before its own clock starts.
        client.send("GET /late HTTP/1.1\r\n\r\nGET /b HT").await;
        assert_eq!(client.answer().await.1, "late");
        assert_eq!(client.ask("TP/1.1\r\n\r\n").await.1, "/b");
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_taken_in_time_or_lost() {
    let big = "GET /big HTTP/1.1\r\n\r\n";
    play(1024, async |client, stage| {
        client.send(big).await;
        sleep(ANSWER_TIME_MAX - Duration::from_millis(10)).await;
        assert_eq!(client.answer().await.1.len(), BIG);
        sleep(2 * ANSWER_TIME_MAX).await;
        stage.check(&[]);

        client.send(big).await;
        sleep(ANSWER_TIME_MAX + Duration::from_millis(10)).await;
        stage.check(&[(Count::AnswerLate, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ended_its_side_gets_its_answer() {
    play(1024, async |client, stage| {
        client.send("GET /late HTTP/1.1\r\n\r\n").await;
        client.io.shutdown().await.unwrap();
        assert_eq!(client.answer().await.1, "late");
        assert_eq!(client.closed_after().await, Duration::ZERO);
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_amid_a_request_is_counted() {
    play(1024, async |client, stage| {
        client.send("POST /a HTTP/1.1\r\ncontent-le").await;
        client.io.shutdown().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        stage.check(&[(Count::Broken, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_behind_one_another_are_answered_in_order() {
    play(64 * 1024, async |client, stage| {
        let chunked = "POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nthr\r\n2\r\nee\r\n0\r\n\r\n";
        client.send(&[GET, &post(3), "two", chunked, &GET[..20]].concat()).await;
        for expected in ["/a", "two", "three"] {
            assert_eq!(client.answer().await.1, expected);
        }
        // Of the fourth only a part came, and its clock runs, though no further byte does.
        assert_eq!(client.closed_after().await, HEAD_TIME_MAX);
        stage.check(&[(Count::HeadLate, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_no_answer_is_held_up_and_nobody_else() {
    play(64 * 1024, async |client, stage| {
        let began = Instant::now();
        client.send(&GET.repeat(101)).await;
        for _ in 0..101 {
            client.answer().await;
        }
        assert!((100 * PUSHED_PAUSE..=200 * PUSHED_PAUSE).contains(&began.elapsed()), "{:?}", began.elapsed());
        let _another_holds_it = stage.core.pushed.acquire().await;
        let began = Instant::now();
        for _ in 0..100 {
            client.ask(GET).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_serves_ten_thousand_requests() {
    play(1024, async |client, stage| {
        let request = [&post(4), "body"].concat();
        for _ in 0..10_000 {
            let (head, body) = client.ask(&request).await;
            assert!(!closes(&head) && body == "body");
        }
        assert_eq!(stage.counters.read(Count::Requests), 10_000);
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_silent_connections_are_no_burden() {
    let served = tokio::task::LocalSet::new();
    served.run_until(thousand_silent_connections()).await;
}

async fn thousand_silent_connections() {
    let (_drain, drained) = watch::channel(None);
    let core = Rc::new(core(Arc::default(), Arc::default(), drained));
    let mut clients: Vec<_> = (0..1_001)
        .map(|_| {
            let (io, server_io) = duplex(1024);
            let core = Rc::clone(&core);
            tokio::task::spawn_local(async move { core.serve(server_io).await });
            Client { io, unread: Vec::new() }
        })
        .collect();
    let mut busy = clients.pop().unwrap();
    for _ in 0..150 {
        assert_eq!(busy.ask(GET).await.1, "/a");
        sleep(Duration::from_secs(1)).await;
    }
    for client in &mut clients {
        assert_eq!(client.ask(GET).await.1, "/a");
    }
}

#[tokio::test(start_paused = true)]
async fn two_lengths_are_refused_and_nothing_behind_them_is_read() {
    for fields in ["content-length: 4\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\nContent-Length: 4"]
    {
        play(1024, async |client, stage| {
            client.ask(GET).await;
            let (head, _) = client.ask(&format!("POST /a HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\n{GET}")).await;
            assert!(head.starts_with("HTTP/1.1 400 ") && closes(&head), "{head}");
            client.closed_after().await;
            stage.check(&[(Count::LengthAmbiguous, 1)]);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_body_does_not_cost_the_client_its_answer() {
    play(1024, async |client, stage| {
        client.send(&post(BODY_BYTES_MAX + 1)).await;
        client.send(&"x".repeat(BODY_BYTES_MAX + 1)).await;
        let (head, _) = client.answer().await;
        assert!(head.starts_with("HTTP/1.1 413 ") && closes(&head), "{head}");
        stage.check(&[(Count::BodyTooLarge, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_connection_only() {
    play(1024, async |client, stage| {
        let (head, _) = client.ask("GET /panic HTTP/1.1\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 500 ") && closes(&head), "{head}");
        client.closed_after().await;
        stage.check(&[(Count::Panicked, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_first_is_told_to_go_on() {
    play(1024, async |client, _| {
        client.send("POST /a HTTP/1.1\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n").await;
        assert!(client.answer().await.0.starts_with("HTTP/1.1 100 "));
        assert_eq!(client.ask("body").await.1, "body");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_silent_connections_after_a_while() {
    play(1024, async |client, stage| {
        client.ask(GET).await;
        sleep(Duration::from_secs(100)).await;
        stage.drain();
        assert_eq!(client.closed_after().await, DRAIN_IDLE);
        stage.check(&[(Count::Idle, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_answers_first_and_says_that_it_closes() {
    play(1024, async |client, stage| {
        client.send("GET /late HTTP/1.1\r\n\r\n").await;
        sleep(Duration::from_secs(99)).await;
        stage.drain();
        let (head, body) = client.answer().await;
        assert!(closes(&head) && body == "late");
        assert_eq!(client.closed_after().await, Duration::ZERO);
        stage.check(&[]);
    })
    .await;
    play(1024, async |client, stage| {
        stage.drain();
        sleep(DRAIN_IDLE - Duration::from_millis(10)).await;
        client.send(&GET.repeat(3)).await;
        let closing =
            [client.answer().await, client.answer().await, client.answer().await].map(|(head, _)| closes(&head));
        assert_eq!(closing, [false, false, true], "whoever asked three times at once is answered three times");
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_sending_cannot_keep_a_closed_connection() {
    play(1024, async |client, stage| {
        stage.drain();
        assert!(closes(&client.ask(GET).await.0));
        let sending = async {
            while client.io.write_all(GET.as_bytes()).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(LINGER_TIME_MAX + Duration::from_millis(10), sending).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_front_of_hyper_is_not_taken_for_silent() {
    play(1024, async |client, stage| {
        for turn in ["answered", "turned away"] {
            sleep(IDLE_TIME_MAX - PATIENCE / 8).await;
            stage.be_busy();
            client.send(ASK).await;
            let wait = if turn == "answered" { PATIENCE / 4 } else { PATIENCE };
            assert!(timeout(wait, client.answer()).await.is_err());
            stage.round();
            assert_eq!(is_turned_away(&client.answer().await), turn == "turned away");
        }
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_a_drain_who_waited_is_answered_and_the_connection_ends() {
    for wait in [PATIENCE / 4, PATIENCE] {
        play(1024, async |client, stage| {
            stage.be_busy();
            client.send(ASK).await;
            assert!(timeout(wait, client.answer()).await.is_err());
            stage.drain();
            stage.round();
            let (head, _) = client.answer().await;
            assert!(closes(&head) && head.starts_with("HTTP/1.1 20"), "{head}");
            assert!(client.closed_after().await < DRAIN_IDLE);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_its_side_while_it_waits_is_still_answered() {
    play(1024, async |client, stage| {
        stage.be_busy();
        client.send(ASK).await;
        client.io.shutdown().await.unwrap();
        assert!(timeout(PATIENCE / 4, client.answer()).await.is_err());
        stage.round();
        assert_eq!(client.answer().await.1, "20");
    })
    .await;
}

const ASK: &str = "POST /hurried HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nno";

/// The answer 204 that no hyper has written.
fn is_turned_away((head, body): &(String, String)) -> bool {
    head.starts_with("HTTP/1.1 204 No Content\r\ndate: ") && body.is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_busy_core_lets_those_in_a_hurry_wait_for_their_turn() {
    play(1024, async |client, stage| {
        assert_eq!(client.ask(ASK).await.1, "0");
        stage.be_busy();
        client.send(ASK).await;
        assert!(timeout(PATIENCE / 4, client.answer()).await.is_err());
        stage.round();
        assert_eq!(client.answer().await.1, "20", "it came when it came");
        assert_eq!(client.ask(ASK).await.1, "0", "the next one did not wait");
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_can_no_longer_be_answered_in_time_is_turned_away_in_front_of_hyper() {
    play(1024, async |client, stage| {
        for _ in 0..3 {
            stage.be_busy();
            client.send(ASK).await;
            assert!(timeout(PATIENCE, client.answer()).await.is_err());
            stage.round();
            assert!(is_turned_away(&client.answer().await));
        }
        assert_eq!((stage.counters.read(Count::Requests), stage.core.handler.turned_away.get()), (3, 3));
        assert_eq!(client.ask(ASK).await.1, "0");
        stage.check(&[]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_in_no_hurry_does_not_wait() {
    play(1024, async |client, stage| {
        stage.be_busy();
        assert_eq!(client.ask(&ASK.replace("hurried", "calm")).await.1, "no");
        assert_eq!(client.ask(GET).await.1, "/a");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_whole_request_by_itself_waits_behind_hyper() {
    play(1024, async |client, stage| {
        client.send(&ASK[..30]).await;
        sleep(Duration::from_secs(1)).await;
        stage.be_busy();
        client.send(&ASK[30..]).await;
        assert!(timeout(PATIENCE / 4, client.answer()).await.is_err());
        stage.round();
        assert_eq!(client.answer().await.1, "20");
        // The second one is seen when the first is answered.
        stage.be_busy();
        client.send(&format!("{ASK}{ASK}")).await;
        assert!(timeout(PATIENCE, client.answer()).await.is_err());
        stage.round();
        assert!(client.answer().await.0.starts_with("HTTP/1.1 204 No Content\r\n"));
        // It did not wait for that answer.
        assert_eq!((client.answer().await.1.as_str(), stage.core.handler.turned_away.get()), ("1", 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn answers_keep_the_order_of_their_requests() {
    play(1024, async |client, stage| {
        stage.be_busy();
        for (before, answered) in [("GET /late", "late".to_owned()), ("GET /big", " ".repeat(BIG))] {
            client.send(&format!("{before} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            sleep(Duration::from_secs(1)).await;
            client.send(ASK).await;
            sleep(Duration::from_secs(1)).await;
            stage.round();
            stage.be_busy();
            assert_eq!(client.answer().await.1, answered);
            assert!(timeout(PATIENCE, client.answer()).await.is_err(), "it is seen only now");
            stage.round();
            assert!(client.answer().await.0.starts_with("HTTP/1.1 204 "));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_is_not_silent() {
    play(1024, async |client, stage| {
        for _ in 0..3 {
            stage.be_busy();
            sleep(IDLE_TIME_MAX - Duration::from_secs(1)).await;
            client.send(ASK).await;
            assert!(timeout(PATIENCE, client.answer()).await.is_err());
            stage.round();
            client.answer().await;
        }
        assert_eq!(client.closed_after().await, IDLE_TIME_MAX);
        stage.check(&[(Count::Idle, 1)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hyper_gets_what_was_held_in_pieces_where_it_has_little_room() {
    let counters = Arc::default();
    let (_drain, drained) = watch::channel(None);
    let core = core(counters, Arc::default(), drained);
    let (mut client, server_io) = duplex(1024);
    let watch = Watch::new();
    let mut gated = Gated::new(server_io, &watch, &core);
    while core.turnstile.begins() {}
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut got = vec![0; ASK.len()];
    assert!(timeout(PATIENCE / 4, gated.read(&mut got)).await.is_err());
    core.turnstile.round(Instant::now(), Duration::ZERO);
    assert_eq!(gated.read(&mut got[..10]).await.unwrap(), 10);
    assert!(matches!(watch.told(), Some((_, Turn::Begin))));
    assert_eq!(gated.read(&mut got[10..]).await.unwrap(), ASK.len() - 10);
    assert!(watch.told().is_none(), "it is for the request whose head it is");
    assert_eq!(got, ASK.as_bytes());
}
