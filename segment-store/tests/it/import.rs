//! The import over HTTP.

use std::convert::Infallible;

use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use segment_store::admin::{Admin, router};
use segment_store::{IdHasher, limits};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Segments are named `s0` to `s9999`.
async fn serve(profiles: &Profiles) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let admin = Admin {
        profiles: profiles.clone(),
        hasher: IdHasher::new([1; 16]),
        segments: Arc::new(|name| name.strip_prefix('s')?.parse().ok().filter(|n| *n < 10_000).map(SegmentId)),
        clock: Arc::new(|| NOW),
        imports: Arc::default(),
    };
    tokio::spawn(async move { axum::serve(listener, router(admin)).await });
    address
}

async fn send<B>(address: std::net::SocketAddr, query: &str, body: B) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("/segments/import{query}")).header("host", "test").body(body).unwrap();
    client.send_request(request).await.unwrap()
}

async fn answer(address: std::net::SocketAddr, query: &str, file: String) -> String {
    let response = send(address, query, Full::new(Bytes::from(file))).await;
    assert_eq!(response.status(), StatusCode::OK);
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn line(user: u64, segment: u32) -> String {
    format!("{{\"user\":\"{user}\",\"segment\":\"s{segment}\",\"until\":3002000000}}\n")
}

#[tokio::test]
async fn good_lines_go_in_and_bad_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = local(folder.path());
    let address = serve(&profiles).await;
    let long = "x".repeat(limits::IMPORT_LINE_BYTES_MAX + 1);
    let linked = r#"{"ids":["3","4"],"segment":"s5","until":"2065-02-16T05:20:00Z","confidence":0.5}"#;
    let file =
        [&line(1, 7), "{\"user\":\"1\",\"segment\":\"x\",\"until\":3002000000}\r\n\n", &long, "\n", linked].concat();
    assert_eq!(
        answer(address, "", file).await,
        "{\"line\":2,\"problem\":\"unknown segment \\\"x\\\"\"}\n\
         {\"line\":4,\"problem\":\"a line has at most 16384 bytes\"}\n\
         {\"done\":true,\"lines\":5,\"joined\":2,\"rejected\":2}\n"
    );
    assert_eq!(shown(&profiles, &[id(1)]).await, "7:2000000");
    assert_eq!(shown(&profiles, &[id(3)]).await, "5:1987200");
    assert_eq!(person(&profiles, &[id(4)]).await, person(&profiles, &[id(3)]).await);
    assert_eq!(answer(address, "", String::new()).await, "{\"done\":true,\"lines\":0,\"joined\":0,\"rejected\":0}\n");
    let response = send(address, "?from_line=x", Full::new(Bytes::new())).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let response = send(address, "?from=1", Full::new(Bytes::new())).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_import_that_was_cut_off_goes_on_from_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = local(folder.path());
    let address = serve(&profiles).await;
    let batch = limits::IMPORT_BATCH_LINES as u64;
    let lines: Vec<_> = (1..=2 * batch + 500).map(|n| line(n, n as u32)).collect();

    // The client goes away in the midst of a line, after it was told of the first two batches.
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(4);
    let (cut_at, rest) = ((2 * batch + 100) as usize, &lines[0][..20]);
    sender.send_data(Bytes::from(lines[..cut_at].concat() + rest)).await.unwrap();
    let mut response = send(address, "", body).await;
    let mut told = String::new();
    while told.lines().count() < 2 {
        told += std::str::from_utf8(response.frame().await.unwrap().unwrap().data_ref().unwrap()).unwrap();
    }
    assert_eq!(
        told,
        "{\"lines\":1000,\"joined\":1000,\"rejected\":0}\n{\"lines\":2000,\"joined\":2000,\"rejected\":0}\n"
    );
    // What it was told of is durable: it is there when the store is opened again, elsewhere, as it is on disk.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    assert_eq!(local(copy.path()).stats().records, Some(2 * batch as usize));
    drop((sender, response));

    let resumed = answer(address, &format!("?from_line={}", 2 * batch + 1), lines.concat()).await;
    assert_eq!(resumed, "{\"done\":true,\"lines\":2500,\"joined\":500,\"rejected\":0}\n");
    assert_eq!(profiles.stats().records, Some(2 * batch as usize + 500));
    for n in [1, 2 * batch, 2 * batch + 1, 2 * batch + 500] {
        assert_eq!(shown(&profiles, &[id(n)]).await, format!("{n}:2000000"));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}
