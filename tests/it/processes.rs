//! Roles as processes of their own, on a real Kafka and a real Redis.

use std::cell::RefCell;
use std::io::Read;
use std::process::{Command, Output};
use std::time::Duration;

use event_log::{Stream, block_on};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{bid_request, servers, until, write};
use super::started::{Started, request};

mod access;
mod shards;

/// What all processes of an installation have alike.
struct Installation {
    prefix: String,
    environment: Vec<(&'static str, String)>,
    scratch: TempDir,
}

impl Installation {
    /// With topics, ids and tokens of its own.
    fn new() -> Self {
        let unique = rand::random::<u128>();
        let prefix = format!("it-{unique:x}.");
        let environment = vec![
            ("VERNIER_KAFKA_BROKERS", servers("KAFKA_BROKERS", "127.0.0.1:17392").join(",")),
            ("VERNIER_KAFKA_PREFIX", prefix.clone()),
            ("VERNIER_PROFILES_REDIS", servers("REDIS_URL", "redis://127.0.0.1:17379").join(",")),
            ("VERNIER_PROFILES_LOOKUP_TIMEOUT_MS", "1000".to_owned()),
            ("VERNIER_SECRETS_ID_KEY", format!("{unique:032x}")),
            ("VERNIER_SECRETS_TOKEN_KEYS", format!("1:{unique:032x}")),
        ];
        Self { prefix, environment, scratch: tempfile::tempdir().expect("a directory") }
    }

    /// Changes what all have alike, or adds to it.
    fn set(&mut self, name: &'static str, value: &str) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.to_owned()));
    }

    fn start(&self, role: &str) -> Started {
        self.start_on(tempfile::tempdir().expect("a directory"), role)
    }

    fn start_on(&self, data: TempDir, role: &str) -> Started {
        self.start_behind(data, "", role)
    }

    /// Starts a role behind commands of a shell.
    fn start_behind(&self, data: TempDir, before: &str, role: &str) -> Started {
        let set: String = self.environment.iter().map(|(name, value)| format!("export {name}='{value}';")).collect();
        Started::on(data, &format!("{set} {before}"), role, "admin on http://")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vernier"));
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().expect("the binary runs")
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn events(&self, stream: &str) -> Vec<Value> {
        let lines = self.succeed(&["events", "cat", stream]);
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn admin() -> AdminClient<DefaultClientContext> {
        let brokers = servers("KAFKA_BROKERS", "127.0.0.1:17392").join(",");
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client")
    }

    /// Removes all records of a stream, as Kafka does once they are older than its topic keeps them.
    fn trim(&self, stream: Stream) {
        let name = format!("{}{stream}", self.prefix);
        let admin = Self::admin();
        let metadata = admin.inner().fetch_metadata(Some(&name), Duration::from_secs(10)).expect("a topic");
        let mut ends = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            ends.add_partition_offset(&name, partition.id(), Offset::End).expect("an offset");
        }
        block_on(admin.delete_records(&ends, &AdminOptions::new())).expect("they are removed");
    }

    /// Publishes the sample campaigns.
    fn publish(&self, control: &Started) {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/sample");
        self.succeed(&["apply", sample, "--admin", control.address("admin on ")]);
    }

    /// Puts people where the sample pays most.
    fn import(&self, segments: &Started, users: &[String]) {
        let line = |user: &String| {
            format!("{{\"user\":\"{user}\",\"segment\":\"cart-24h/shoes/high\",\"until\":\"2036-01-01T00:00:00Z\"}}\n")
        };
        let file = write(self.scratch.path(), "people.jsonl", &users.iter().map(line).collect::<String>());
        // Its names of segments come from the stream.
        let admin = segments.address("admin on ").to_owned();
        let imported = || self.run(&["segments", "import", &file, "--admin", &admin]).status.success();
        until(imported, &|| segments.said.clone());
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let names = Stream::ALL.map(|stream| format!("{}{stream}", self.prefix));
        // A test may have made none of them.
        let _ = block_on(Self::admin().delete_topics(&names.each_ref().map(String::as_str), &AdminOptions::new()));
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

fn metrics(process: &Started) -> String {
    request(process.address("admin on "), "GET /metrics", b"")
}

/// Waits until a process tells this figure.
fn until_told(process: &Started, line: &str) {
    until(|| metrics(process).lines().any(|found| found == line), &|| format!("{line} in {}", metrics(process)));
}

/// Waits until a bidder has the campaigns and money for them.
fn until_ready(bidder: &Started) {
    let ready = || request(bidder.address("admin on "), "GET /readyz", b"");
    until(|| ready().starts_with("HTTP/1.1 200") && ready().contains("\"campaigns\":2"), &ready);
    // It was ready before it had campaigns; the ledger answers for each of them in its own time.
    until_told(bidder, "vernier_leases_open 2");
}

/// The bids that `users` get, one each.
fn all_bids(bidder: &Started, users: &[String]) -> impl Iterator<Item = Value> {
    let of = move |user: &String| {
        let answer = request(bidder.address("vernier bidder: "), "POST /bid/demo", &bid_request(user));
        let answer: Value = serde_json::from_str(body(&answer)).ok()?;
        Some(answer["seatbid"][0]["bid"][0].clone())
    };
    users.iter().filter_map(of)
}

/// Those of this price.
fn bids(bidder: &Started, users: &[String], price: f64) -> impl Iterator<Item = Value> {
    all_bids(bidder, users).filter(move |bid| bid["price"] == price)
}

/// The first of them.
fn bid(bidder: &Started, users: &[String], price: f64) -> Value {
    bids(bidder, users, price).next().expect("few are held out")
}

/// Calls a notice of `bid` at `bidder`, whichever made it; whether it was acknowledged.
fn call(bidder: &Started, bid: &Value, notice: &str, price: &str) -> bool {
    let url = bid[notice].as_str().expect("a URL").replace("${AUCTION_PRICE}", price);
    let path = &url[url.find("/n/").expect("a path")..];
    request(bidder.address("vernier bidder: "), &format!("GET {path}"), b"").starts_with("HTTP/1.1 204")
}

#[test]
fn bidders_share_campaigns_people_and_money() {
    let installation = Installation::new();
    let (control, segments) = (installation.start("control"), installation.start("segments"));
    // Nobody wins or loses by the clock meanwhile.
    let patient = "[[exchange]]\nname = \"demo\"\nuser_ids = \"ours\"\nauction_window_s = 1800\n";
    let patient = format!("bidder --config {}", write(installation.scratch.path(), "patient.toml", patient));
    let (ledger, bidders) = (installation.start("ledger"), [(); 2].map(|()| installation.start(&patient)));
    installation.publish(&control);
    bidders.iter().for_each(until_ready);
    let users: Vec<String> = (0..20).map(|number| format!("visitor-{number}")).collect();
    installation.import(&segments, &users);
    let [one, other] = &bidders;
    let strangers: Vec<String> = (0..20).map(|number| format!("stranger-{number}")).collect();
    let lost: Vec<Value> = all_bids(one, &strangers).collect();
    assert!(!lost.is_empty() && lost.iter().all(|bid| call(other, bid, "lurl", "")));
    // The node that bid hears of it from the ledger.
    until_told(one, "vernier_reservations_open 0");
    let bids = [bid(one, &users, 9.0), bid(other, &users, 9.0)];
    for (bid, price) in bids.iter().zip(["2", "3"]) {
        assert!(call(other, bid, "nurl", price) && call(other, bid, "burl", price), "any node takes any notice");
        assert!(call(one, bid, "burl", price), "and again");
    }
    until_told(&ledger, "vernier_ledger_charges_total{outcome=\"made\"} 2");
    until_told(&ledger, "vernier_ledger_charges_total{outcome=\"repeated\"} 2");
    until_told(&ledger, "vernier_ledger_spent_total{currency=\"USD\"} 0.005");
    until_told(&ledger, "vernier_ledger_lag_records{stream=\"notices\"} 0");
    assert_eq!(installation.events("outcomes").iter().map(charged).sum::<u64>(), 5_000_000);

    // A stop reaches all.
    installation.succeed(&["stop", "cart-recovery", "--admin", control.address("admin on ")]);
    for bidder in &bidders {
        let explained = || {
            let file =
                write(installation.scratch.path(), "r.json", str::from_utf8(&bid_request(&users[0])).expect("text"));
            installation.succeed(&["explain", "--request", &file, "--admin", bidder.address("admin on ")])
        };
        until(|| super::process::result(&explained(), "cart-recovery") == "stopped", &explained);
    }
}

/// Nanos that an outcome charges.
fn charged(outcome: &Value) -> u64 {
    let units: f64 = outcome["charged"].as_str().expect("text").parse().expect("a number");
    (units * 1e9).round() as u64
}

#[test]
fn a_killed_bidder_ships_what_it_acknowledged_after_its_restart() {
    let installation = Installation::new();
    let control = installation.start("control");
    installation.publish(&control);
    let (ledger, mut bidder) = (installation.start("ledger"), installation.start("bidder"));
    until_ready(&bidder);
    let users: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    installation.import(&installation.start("segments"), &users);
    let made = bid(&bidder, &users, 9.0);
    assert!(call(&bidder, &made, "nurl", "1"));
    for _ in 0..200 {
        assert!(call(&bidder, &made, "burl", "1"));
    }
    bidder.child.kill().expect("it runs");
    let restarted = installation.start_on(bidder.keep(), "bidder");
    until_told(&ledger, "vernier_ledger_charges_total{outcome=\"made\"} 1");
    until_told(&restarted, "vernier_notices_waiting 0");
    let billed = installation.events("notices").into_iter().filter(|notice| notice["kind"] == "billing");
    assert!(billed.count() >= 200, "some may come twice, none is missing");
}

/// The end of a process that cannot go on: what it says then.
fn end(process: &mut Started) -> String {
    let child = RefCell::new(&mut process.child);
    until(|| child.borrow_mut().try_wait().expect("it is ours").is_some(), &|| process.said.clone());
    let mut said = String::new();
    process.child.stdout.take().expect("its output").read_to_string(&mut said).expect("text");
    assert_eq!(process.child.wait().expect("it has ended").code(), Some(1));
    said
}

#[test]
fn a_second_control_plane_takes_over_and_the_first_ends() {
    let installation = Installation::new();
    let mut first = installation.start("control");
    let second = installation.start("control");
    installation.publish(&second);
    let stopped = installation.run(&["stop", "cart-recovery", "--admin", first.address("admin on ")]);
    assert!(!stopped.status.success());
    let said = end(&mut first);
    assert!(said.contains("another `control` has taken over"), "{said}");
    installation.succeed(&["stop", "cart-recovery", "--admin", second.address("admin on ")]);
}

#[test]
fn a_ledger_starts_though_its_place_among_leases_is_kept_no_longer() {
    let installation = Installation::new();
    installation.publish(&installation.start("control"));
    let ledger = installation.start("ledger");
    until_ready(&installation.start("bidder"));
    // The last records are the grants, which the ledger does not take in.
    drop(ledger);
    installation.trim(Stream::Leases);
    let ledger = installation.start("ledger");
    until_told(&ledger, "vernier_ledger_caught_up 1");
    until_ready(&installation.start("bidder"));
}

#[test]
fn a_bidder_that_can_acknowledge_nothing_any_more_ends() {
    let installation = Installation::new();
    installation.publish(&installation.start("control"));
    let ledger = installation.start("ledger");
    let data = tempfile::tempdir().expect("a directory");
    // No file may grow above so many blocks: the disk is full.
    let mut bidder = installation.start_behind(data, "trap '' XFSZ; ulimit -f 40;", "bidder");
    until_ready(&bidder);
    let users: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    installation.import(&installation.start("segments"), &users);
    let made = bid(&bidder, &users, 9.0);
    let acknowledged = (0..).take_while(|_| call(&bidder, &made, "burl", "1")).count();
    let said = end(&mut bidder);
    assert!(said.contains("the log failed: stream notices takes no more appends"), "{said}");
    until_told(&ledger, "vernier_ledger_charges_total{outcome=\"made\"} 1");
    let billed = installation.events("notices").into_iter().filter(|notice| notice["kind"] == "billing");
    assert!(billed.count() >= acknowledged && acknowledged > 0, "what was acknowledged was shipped");
}

#[test]
fn a_role_alone_tells_its_figures() {
    let installation = Installation::new();
    for (role, expected) in [
        ("ledger", "vernier_ledger_records_total{stream=\"notices\"} 0"),
        ("segments", "vernier_segments_imported_total 0"),
    ] {
        let started = installation.start(role);
        let metrics = request(started.address("admin on "), "GET /metrics", b"");
        assert!(metrics.contains(expected) && metrics.ends_with("# EOF\n"), "{role}: {metrics}");
        let prefix = format!("vernier_{role}_");
        let named = |line: &str| line.split([' ', '{']).nth(2).is_some_and(|name| name.starts_with(&prefix));
        assert!(metrics.lines().filter(|line| line.starts_with("# TYPE")).all(named), "{metrics}");
    }
}

#[test]
fn what_processes_must_have_alike_is_asked_for() {
    let mut installation = Installation::new();
    installation.environment.retain(|(name, _)| !name.contains("SECRETS"));
    let check = |installation: &Installation, role: &str, expected: &str| {
        let output = installation.run(&[role]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(expected), "{said}");
    };
    check(&installation, "bidder", "set secrets.id_key, secrets.token_keys, alike for all");
    check(&installation, "segments", "set secrets.id_key, alike for all");
    installation.environment.clear();
    check(
        &installation,
        "bidder",
        "set kafka.brokers, profiles.redis, secrets.id_key, secrets.token_keys, alike for all",
    );
    check(&installation, "segments", "set kafka.brokers, profiles.redis, secrets.id_key, alike for all");
    check(&installation, "ledger", "set kafka.brokers, alike for all");
    check(&installation, "control", "set kafka.brokers, alike for all");
}
