//! The routes, over loopback.

use control_plane::{Applied, Apply, Campaigns, Changed, Refused, Rejected, Stopped, admin, sample};
use event_log::{EventLog, LocalLog, LocalOptions};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::control::open;

struct Server {
    address: std::net::SocketAddr,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = EventLog::from(LocalLog::open(LocalOptions::new(directory.path())).expect("the log opens"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let routes = admin::routes(open(&log));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, _directory: directory }
    }

    /// The status and body of an answer.
    async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &str) -> (u16, T) {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("it takes the head");
        stream.write_all(body.as_bytes()).await.expect("it takes the body");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let status = answer[9..12].parse().expect("a status");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }
}

fn body(files: Vec<control_plane::SourceFile>) -> String {
    serde_json::to_string(&Apply { files, by: Some("ann".into()) }).expect("it is JSON")
}

#[tokio::test]
async fn apply_stop_and_list() {
    let server = Server::start().await;
    let (status, tried): (_, Applied) = server.ask("POST", "/campaigns/apply?dry_run=true", &body(sample())).await;
    assert_eq!((status, tried.dry_run, tried.revision), (200, true, None));
    let (status, applied): (_, Applied) = server.ask("POST", "/campaigns/apply", &body(sample())).await;
    assert_eq!((status, applied.revision), (200, Some(9)));
    let (status, stopped): (_, Stopped) = server.ask("POST", "/campaigns/cart-recovery/stop?by=ann", "").await;
    assert_eq!((status, stopped.change, stopped.revision), (200, Changed::Stopped, Some(10)));
    let (status, list): (_, serde_json::Value) = server.ask("GET", "/campaigns", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        list["campaigns"][1],
        serde_json::json!({
            "name": "cart-recovery", "number": 1, "advertiser": "northtrail", "state": "stopped",
            "from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z",
            "daily_budget": "500.00", "total_budget": "500000.00", "currency": "USD", "revision": 10
        })
    );
    let list: Campaigns = serde_json::from_value(list).expect("it is the list");
    assert_eq!(list.revision, Some(10));
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_reason() {
    let server = Server::start().await;
    let mut files = sample();
    files[2].text = files[2].text.replace("max: 12.00", "max: twelve").replace("count: 5", "count: 500");
    let (status, rejected): (_, Rejected) = server.ask("POST", "/campaigns/apply", &body(files)).await;
    let paths: Vec<&str> = rejected.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!((status, paths), (422, vec!["bids.max", "frequency_caps[0].count"]));
    let refused = [
        ("POST", "/campaigns/none/stop", "", 404),
        ("POST", "/campaigns/apply", "{", 400),
        ("POST", "/campaigns/apply", "{}", 422),
        ("POST", "/campaigns/apply?dry_run=perhaps", "{\"files\":[]}", 400),
        ("POST", "/campaigns/apply", "{\"files\":[],\"by\":\"\"}", 400),
    ];
    for (method, path, body, expected) in refused {
        let (status, Refused { error }) = server.ask(method, path, body).await;
        assert_eq!(status, expected, "{path} {body}: {error}");
        assert!(!error.is_empty());
    }
}
