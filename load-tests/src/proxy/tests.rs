use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use super::*;

/// Says every line again.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (mut read, mut write) = socket.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut read, &mut write).await });
        }
    });
    address
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn new(proxy: &Proxy) -> Self {
        Self(BufReader::new(TcpStream::connect(proxy.address()).await.expect("the proxy listens")))
    }

    async fn say(&mut self) {
        self.0.get_mut().write_all(b"hello\n").await.expect("it is connected");
    }

    /// What is answered: a line, the end, or an error.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        match self.0.read_line(&mut line).await {
            Ok(0) => "end".into(),
            Ok(_) => line.trim().into(),
            Err(error) => error.kind().to_string(),
        }
    }
}

/// Long enough for a line through the loopback, and for a test to wait for nothing.
const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn without_a_fault_everything_passes() {
    let proxy = Proxy::start(echo().await).await.expect("a port");
    let mut client = Client::new(&proxy).await;
    client.say().await;
    assert_eq!(client.hear().await, "hello");
    proxy.set(Fault::Bandwidth(1_000_000));
    client.say().await;
    assert_eq!(client.hear().await, "hello");
}

#[tokio::test]
async fn latency_delays_each_direction() {
    let proxy = Proxy::start(echo().await).await.expect("a port");
    let mut client = Client::new(&proxy).await;
    proxy.set(Fault::Latency(Duration::from_millis(50)));
    let started = Instant::now();
    client.say().await;
    assert_eq!(client.hear().await, "hello");
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_blackhole_holds_what_is_sent_until_it_ends() {
    let proxy = Proxy::start(echo().await).await.expect("a port");
    let mut client = Client::new(&proxy).await;
    client.say().await;
    assert_eq!(client.hear().await, "hello");
    proxy.set(Fault::Blackhole);
    client.say().await;
    assert!(timeout(MOMENT, client.hear()).await.is_err());
    proxy.set(Fault::None);
    assert_eq!(client.hear().await, "hello");
}

#[tokio::test]
async fn a_reset_ends_connections_and_refuses_new_ones() {
    let proxy = Proxy::start(echo().await).await.expect("a port");
    let mut client = Client::new(&proxy).await;
    client.say().await;
    assert_eq!(client.hear().await, "hello");
    proxy.set(Fault::Reset);
    assert_ne!(client.hear().await, "hello");
    assert_ne!(Client::new(&proxy).await.hear().await, "hello");
    proxy.set(Fault::None);
    let mut client = Client::new(&proxy).await;
    client.say().await;
    assert_eq!(client.hear().await, "hello");
}

#[tokio::test]
async fn a_half_open_connection_never_recovers_and_new_ones_do() {
    let proxy = Proxy::start(echo().await).await.expect("a port");
    let mut client = Client::new(&proxy).await;
    client.say().await;
    assert_eq!(client.hear().await, "hello");
    proxy.set(Fault::HalfOpen);
    client.say().await;
    assert!(timeout(MOMENT, client.hear()).await.is_err());
    proxy.set(Fault::None);
    client.say().await;
    assert!(timeout(MOMENT, client.hear()).await.is_err());
    let mut another = Client::new(&proxy).await;
    another.say().await;
    assert_eq!(another.hear().await, "hello");
}
